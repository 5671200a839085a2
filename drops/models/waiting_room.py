"""The waiting room's rows in Postgres: the leading gatekeeper, and each drop's last committed tick."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from drops.models.drop import Drop
from shop.core.fields import ShortenedCharField


class Leadership(models.Model):
    """The single row that gatekeepers compete for. `term` increases each time leadership changes."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    term = models.PositiveBigIntegerField(default=0)
    holder = models.CharField(max_length=100, default="")
    until = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(name="leadership_is_a_single_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"term {self.term}, {self.holder}"


class Checkpoint(models.Model):
    """A drop's waiting room as last committed.

    Redis follows this row and can be rebuilt from it at any time.
    """

    drop = models.OneToOneField(Drop, models.CASCADE, primary_key=True, related_name="checkpoint")
    term = models.PositiveBigIntegerField(default=0)
    tick = models.PositiveBigIntegerField(default=0)
    published_tick = models.PositiveBigIntegerField(db_default=0)  # the last that Redis is known to have
    epoch = models.PositiveIntegerField(default=0)  # increases each time the drop adopts a Redis server
    run_id = models.CharField(max_length=40, default="")  # of the adopted Redis server
    counter_limit = models.PositiveBigIntegerField(default=0)  # all indices given so far are below it
    joined = models.PositiveBigIntegerField(default=0)  # the counter as last read
    cursor = models.PositiveBigIntegerField(default=0)
    cursor_moved_at = models.DateTimeField(null=True)
    allowance = models.PositiveBigIntegerField(default=0)
    entered = models.PositiveBigIntegerField(default=0)
    reason = ShortenedCharField(
        max_length=200, default=""
    )  # a sentence: the ceiling that bounds the allowance
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="joined_is_within_counter_limit", condition=Q(joined__lte=F("counter_limit"))
            )
        ]

    def __str__(self) -> str:
        return f"{self.drop_id} tick {self.tick}"


class Ceiling(models.Model):
    """One upper bound on admission, as a count of shoppers who may be let in, with its reason.

    payments, scaling and operators set them through drops.admission; the gatekeeper reads the active ones.
    """

    class Kind(models.TextChoices):
        PAYMENT_RATE = "payment rate"  # what the payments of the next seconds can take
        READY_CAPACITY = (
            "ready capacity"  # what the targets that are READY can take, in place of READY_PER_SECOND
        )
        PAYMENT_ACCOUNT = "payment account"  # Stripe refuses our key: nobody can pay until that is mended
        OPERATOR = "operator"

    drop = models.ForeignKey(
        Drop, models.CASCADE, null=True, related_name="ceilings"
    )  # null: all drops together
    kind = models.CharField(max_length=20, choices=Kind)
    shoppers = models.PositiveIntegerField()
    reason = ShortenedCharField(max_length=200)
    set_at = models.DateTimeField(db_default=Now())
    ends_at = models.DateTimeField(null=True)  # null: until it is lifted

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["drop", "kind"], name="one_ceiling_per_drop_and_kind", nulls_distinct=False
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.shoppers} ({self.reason})"
