"""Records of pre-scaling: calls to providers, the drops' use of targets, and the heartbeat of the ticks."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from drops.models import Drop
from drops.scaling.models.plan import Step
from drops.scaling.models.target import Target
from shop.core.fields import ShortenedCharField


class Call(models.Model):
    """One call to a target's provider, with the state before and after it."""

    target = models.ForeignKey(Target, models.CASCADE, related_name="calls")
    step = models.ForeignKey(Step, models.SET_NULL, null=True, related_name="calls")
    at = models.DateTimeField(db_default=Now())
    operation = models.CharField(max_length=10)  # "read", "apply", "test"
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    request_id = ShortenedCharField(max_length=100, blank=True)
    milliseconds = models.PositiveIntegerField()
    actor = ShortenedCharField(max_length=80)  # "beat", "command", a user's name
    error = ShortenedCharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["target", "-at"], name="calls_by_target")]

    def __str__(self) -> str:
        return f"{self.operation} {self.target} {self.at}"


class Usage(models.Model):
    """An interval in which a drop had a lease on a target, at one size.

    Recorded when a step is raised, approved or moved, because its lease goes on at another size or time. The
    interval that runs now, or the last one, follows from the step's own times.
    """

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="usages")
    target = models.ForeignKey(Target, models.PROTECT, related_name="usages")
    size = models.PositiveIntegerField()
    since = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        ordering = ["since", "id"]
        constraints = [
            models.CheckConstraint(
                name="a_usage_does_not_end_before_it_begins", condition=Q(until__gte=F("since"))
            )
        ]

    def __str__(self) -> str:
        return f"{self.size} of {self.target} for {self.drop}"


class Heartbeat(models.Model):
    """The single row that says when the last tick ran, who ran it, and whether ops paused pre-scaling."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    ticked_at = models.DateTimeField(null=True)
    actor = ShortenedCharField(max_length=80, blank=True)
    paused_at = models.DateTimeField(null=True)
    paused_reason = ShortenedCharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(name="there_is_one_heartbeat", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"ticked {self.ticked_at}"
