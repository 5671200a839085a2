"""What pre-scaling leaves behind: each call made, each earlier claim, and the pulse of its ticks."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from drops.models import Drop
from drops.scaling.models.plan import Step
from drops.scaling.models.target import Target


class Call(models.Model):
    """One question or demand put to a target, with what stood before and after it."""

    target = models.ForeignKey(Target, models.CASCADE, related_name="calls")
    step = models.ForeignKey(Step, models.SET_NULL, null=True, related_name="calls")
    at = models.DateTimeField(db_default=Now())
    act = models.CharField(max_length=10)  # "read", "apply", "test"
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    request_id = models.CharField(max_length=100, blank=True)
    milliseconds = models.PositiveIntegerField()
    who = models.CharField(max_length=80)  # "beat", "command", a user's name
    fault = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["target", "-at"], name="calls_by_target")]

    def __str__(self) -> str:
        return f"{self.act} {self.target} {self.at}"


class Usage(models.Model):
    """What a drop claimed of a target, and how long, where its step went on otherwise: raised, agreed to, or moved.

    The claim that a step has now, or had last, is in its own times.
    """

    drop = models.ForeignKey(Drop, models.CASCADE, related_name="claims")
    target = models.ForeignKey(Target, models.PROTECT, related_name="claims")
    size = models.PositiveIntegerField()
    since = models.DateTimeField()
    until = models.DateTimeField()

    class Meta:
        ordering = ["since", "id"]
        constraints = [
            models.CheckConstraint(name="a_claim_does_not_end_before_it", condition=Q(until__gte=F("since")))
        ]

    def __str__(self) -> str:
        return f"{self.size} of {self.target} for {self.drop}"


class Heartbeat(models.Model):
    """The single row that says when the last tick was, by whom, and whether ops paused pre-scaling."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    ticked_at = models.DateTimeField(null=True)
    who = models.CharField(max_length=80, blank=True)
    paused_at = models.DateTimeField(null=True)
    paused_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(name="there_is_one_pulse", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"ticked {self.ticked_at}"
