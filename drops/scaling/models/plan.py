"""A drop's scale plan, and its steps: one for each target, which is also the drop's lease on it.

planned ─▶ requested ─▶ converging ─▶ ready ─────▶ holding ─▶ releasing ─▶ restored
   │            │            └──────▶ degraded ───────▲
   └────────────┴─────────▶ abandoned    (a degraded step becomes ready if its target is ready after all)
"""

from django.db import models
from django.db.models import Q

from drops.models import Drop
from drops.scaling.models.target import Group, Target
from shop.core.fields import ShortenedCharField


class ScalePlan(models.Model):
    """The plan that follows from a drop's expected shoppers, its go / no-go, and what it cost."""

    drop = models.OneToOneField(Drop, models.CASCADE, primary_key=True, related_name="scale_plan")
    changed_at = models.DateTimeField(auto_now=True)
    plan = models.JSONField(null=True, editable=False)  # the last plan, with its reasons
    planned_at = models.DateTimeField(null=True, editable=False)
    approved_sizes = models.JSONField(default=dict, editable=False)  # {target id: size} above ops' ceilings
    approved_by = models.ForeignKey("auth.User", models.SET_NULL, null=True, editable=False, related_name="+")
    approved_at = models.DateTimeField(null=True, editable=False)
    verdict = models.CharField(
        max_length=5, blank=True, editable=False
    )  # "go", "no-go"; empty: not decided yet
    verdict_at = models.DateTimeField(null=True, editable=False)
    verdict_messages = models.JSONField(
        default=list, editable=False
    )  # which target isn't ready, why, and what to do
    # `planned_at` of the plan that the verdict is about.
    verdict_planned_at = models.DateTimeField(null=True, editable=False)
    # What the ready capacity can admit; None: nothing was scaled.
    shoppers_per_second = models.PositiveIntegerField(null=True, editable=False)
    cost = models.JSONField(
        null=True, editable=False
    )  # measured afterwards; see drops.scaling.accounting.costs

    class Meta:
        verbose_name, verbose_name_plural = "scale plan", "scale plans"
        permissions = [
            ("act_on_scaling", "Can approve plans, restore now, and pause pre-scaling"),
        ]
        constraints = [
            models.CheckConstraint(
                name="a_verdict_has_its_time",
                condition=Q(verdict="", verdict_at=None)
                | (Q(verdict__in=["go", "no-go"]) & Q(verdict_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.drop}: {self.expected} expected"

    @property
    def expected(self) -> int:
        """The drop's expected shoppers; 0 if nobody has entered them."""
        return self.drop.expected_shoppers or 0


class Step(models.Model):
    """One change of one target for one drop.

    From requested to holding it is the drop's lease on the target.
    """

    class State(models.TextChoices):
        PLANNED = "planned", "planned"
        REQUESTED = "requested", "requested"
        CONVERGING = "converging", "converging"
        READY = "ready", "ready"
        DEGRADED = "degraded", "degraded"
        HOLDING = "holding", "holding"
        RELEASING = "releasing", "releasing"
        RESTORED = "restored", "restored"
        ABANDONED = "abandoned", "abandoned"

    LEASES = (State.REQUESTED, State.CONVERGING, State.READY, State.DEGRADED, State.HOLDING)
    OVER = (State.RESTORED, State.ABANDONED)

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="steps")
    target = models.ForeignKey(Target, models.PROTECT, related_name="steps")
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    desired_size = models.PositiveIntegerField()  # absolute, not a difference
    tier = (
        models.PositiveSmallIntegerField()
    )  # 0: data stores; scaled up in this order, brought back in reverse
    starts_at = models.DateTimeField()
    needed_at = models.DateTimeField()
    needs_approval = models.BooleanField(default=False)  # above ops' ceiling
    requested_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)  # first read back as ready
    holding_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    message = ShortenedCharField(max_length=300, blank=True)  # for ops: what it waits for, or what went wrong

    class Meta:
        ordering = ["drop", "tier", "target"]
        constraints = [
            models.UniqueConstraint(fields=["drop", "target"], name="one_step_per_drop_and_target"),
            models.CheckConstraint(
                name="a_step_that_is_over_has_ended_at",
                condition=Q(state__in=["restored", "abandoned"], ended_at__isnull=False)
                | (~Q(state__in=["restored", "abandoned"]) & Q(ended_at=None)),
            ),
            models.CheckConstraint(
                name="a_lease_was_requested",
                condition=Q(state__in=["planned", "abandoned"]) | Q(requested_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["target"],
                condition=~Q(state__in=["restored", "abandoned"]),
                name="live_steps_by_target",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.target} for {self.drop}: {self.state}"


class Demand(models.Model):
    """What one group used in one drop; weights are learned from these rows. Null figures weren't measured."""

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="demands")
    group = models.CharField(max_length=12, choices=Group)
    shoppers = models.PositiveIntegerField()  # those who joined
    requests = models.PositiveBigIntegerField(null=True)
    peak_per_second = models.FloatField(null=True)
    cpu_seconds = models.FloatField(null=True)
    slots = models.PositiveIntegerField(null=True)  # the most in use at once
    connections = models.PositiveIntegerField(null=True)  # the most in use at once
    bytes = models.PositiveBigIntegerField(null=True)
    measured_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["drop", "group"], name="one_demand_per_drop_and_group")
        ]

    def __str__(self) -> str:
        return f"{self.group} of {self.drop}"
