"""A drop's preparation, and its steps: one for each target, which is also the drop's lease on it.

planned ─▶ requested ─▶ converging ─▶ ready ─────▶ holding ─▶ releasing ─▶ restored
   │            │            └──────▶ degraded ───────▲
   └────────────┴─────────▶ abandoned    (degraded becomes ready when it is there after all)
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from drops.models import Drop
from drops.scaling.models.target import Group, Target


class ScalePlan(models.Model):
    """What is expected of a drop, what follows from it, and what became of it."""

    drop = models.OneToOneField(Drop, models.CASCADE, primary_key=True, related_name="scale_plan")
    expected = models.PositiveIntegerField(
        _("expected shoppers"), help_text=_("How many people come to the line, all in all.")
    )
    typed_at = models.DateTimeField(auto_now=True)
    plan = models.JSONField(null=True, editable=False)  # the last plan as it was computed, with its reasons
    planned_at = models.DateTimeField(null=True, editable=False)
    approved = models.JSONField(default=dict, editable=False)  # {target id: size} beyond ops' ceilings
    approved_by = models.ForeignKey("auth.User", models.SET_NULL, null=True, editable=False, related_name="+")
    approved_at = models.DateTimeField(null=True, editable=False)
    verdict = models.CharField(max_length=5, blank=True, editable=False)  # "go", "no go"; empty: not yet
    verdict_at = models.DateTimeField(null=True, editable=False)
    verdict_words = models.JSONField(default=list, editable=False)  # sentences: which target, why, what to do
    reachable = models.PositiveIntegerField(null=True, editable=False)  # shoppers a second that what is ready can admit
    bill = models.JSONField(null=True, editable=False)  # measured afterwards; see drops.scaling.accounting.costs

    class Meta:
        verbose_name, verbose_name_plural = _("scale plan"), _("scale plans")
        permissions = [
            ("act_on_scaling", "Can approve plans, restore now, and pause pre-scaling"),
        ]
        constraints = [
            models.CheckConstraint(
                name="a_verdict_has_its_time",
                condition=Q(verdict="", verdict_at=None)
                | (Q(verdict__in=["go", "no go"]) & Q(verdict_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.drop}: {self.expected} expected"


class Step(models.Model):
    """One move of one target for one drop. From requested to holding it is the drop's lease on the target."""

    class State(models.TextChoices):
        PLANNED = "planned", _("planned")
        REQUESTED = "requested", _("requested")
        CONVERGING = "converging", _("converging")
        READY = "ready", _("ready")
        DEGRADED = "degraded", _("degraded")
        HOLDING = "holding", _("holding")
        RELEASING = "releasing", _("releasing")
        RESTORED = "restored", _("restored")
        ABANDONED = "abandoned", _("abandoned")

    LEASES = (State.REQUESTED, State.CONVERGING, State.READY, State.DEGRADED, State.HOLDING)
    OVER = (State.RESTORED, State.ABANDONED)

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="steps")
    target = models.ForeignKey(Target, models.PROTECT, related_name="steps")
    state = models.CharField(max_length=10, choices=State, default=State.PLANNED)
    wanted = models.PositiveIntegerField()  # absolute size
    tier = models.PositiveSmallIntegerField()  # 0 data stores … last the workers; the reverse on the way down
    starts_at = models.DateTimeField()
    needed_at = models.DateTimeField()
    held_back = models.BooleanField(default=False)  # beyond ops' ceiling: waits for a yes
    requested_at = models.DateTimeField(null=True)
    ready_at = models.DateTimeField(null=True)  # first read back as READY
    holding_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    message = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["drop", "tier", "target"]
        constraints = [
            models.UniqueConstraint(fields=["drop", "target"], name="one_step_per_drop_and_target"),
            models.CheckConstraint(
                name="an_over_step_has_its_end",
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
                fields=["target"], condition=~Q(state__in=["restored", "abandoned"]), name="live_steps_by_target"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.target} for {self.drop}: {self.state}"


class Demand(models.Model):
    """What one group used in one drop: the evidence from which weights are learned."""

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="demands")
    group = models.CharField(max_length=12, choices=Group)
    shoppers = models.PositiveIntegerField()  # that joined
    requests = models.PositiveBigIntegerField(null=True)  # null, here and below: not measured
    peak_per_second = models.FloatField(null=True)
    cpu_seconds = models.FloatField(null=True)
    slots = models.PositiveIntegerField(null=True)  # most at one time
    connections = models.PositiveIntegerField(null=True)  # most at one time
    bytes = models.PositiveBigIntegerField(null=True)
    measured_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["drop", "group"], name="one_demand_per_drop_and_group")]

    def __str__(self) -> str:
        return f"{self.group} of {self.drop}"
