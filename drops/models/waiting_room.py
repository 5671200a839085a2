"""What Postgres knows of the line: who leads the gatekeepers, and each drop's last committed tick."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from drops.models.drop import Drop


class Leadership(models.Model):
    """The single row that gatekeepers compete for. `term` goes up each time it changes hands."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    term = models.PositiveBigIntegerField(default=0)
    holder = models.CharField(max_length=100, default="")
    until = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(name="there_is_one_leadership", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"term {self.term}, {self.holder}"


class Checkpoint(models.Model):
    """A drop's line as last committed: Redis follows this row and may be rebuilt from it at any time."""

    drop = models.OneToOneField(Drop, models.CASCADE, primary_key=True, related_name="checkpoint")
    term = models.PositiveBigIntegerField(default=0)
    tick = models.PositiveBigIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)  # + 1 each time a Redis server is adopted for the drop
    run_id = models.CharField(max_length=40, default="")  # of the adopted Redis server
    counter_limit = models.PositiveBigIntegerField(default=0)  # no index at or above it has been given
    joined = models.PositiveBigIntegerField(default=0)  # the counter as last seen
    cursor = models.PositiveBigIntegerField(default=0)
    cursor_moved_at = models.DateTimeField(null=True)
    allowance = models.PositiveBigIntegerField(default=0)
    entered = models.PositiveBigIntegerField(default=0)
    reason = models.CharField(max_length=200, default="")  # which ceiling bounds the allowance, in words
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="the_counter_stays_below_its_limit", condition=Q(joined__lte=F("counter_limit"))
            )
        ]

    def __str__(self) -> str:
        return f"{self.drop_id} tick {self.tick}"


class Ceiling(models.Model):
    """One upper bound on admission, as a count of shoppers who may be let in, with its reason.

    payments, scaling and operators write them (drops.admission); the gatekeeper reads those that have not ended.
    """

    drop = models.ForeignKey(Drop, models.CASCADE, null=True, related_name="ceilings")  # none: all drops together
    kind = models.CharField(max_length=20)  # "payment budget", "ready", "operator"
    shoppers = models.PositiveIntegerField()
    reason = models.CharField(max_length=200)
    set_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField(null=True)  # none: until it is taken away

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["drop", "kind"], name="one_ceiling_per_drop_and_kind", nulls_distinct=False)
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.shoppers} ({self.reason})"
