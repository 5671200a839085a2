"""Stripe's events as they came, the append-only ledger of money moved, the buckets of the rate limit."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payments.models.order import Order
from shop.core.fields import ShortenedCharField


class Event(models.Model):
    """One webhook event, stored before it is processed."""

    class State(models.TextChoices):
        STORED = "stored"
        PROCESSED = "processed"
        IGNORED = "ignored"

    # Stripe's own, as long as its ids get: a repeat changes nothing.
    id = models.CharField(primary_key=True, max_length=255)
    type = models.CharField(max_length=255)
    livemode = models.BooleanField()
    intent_id = models.CharField(max_length=255, blank=True, default="")
    payload = models.JSONField()
    state = models.CharField(max_length=9, choices=State, default=State.STORED)
    reason = ShortenedCharField(max_length=80, blank=True, default="")  # why it was ignored
    received_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="a_stored_event_is_not_processed_yet",
                condition=Q(state="stored", processed_at=None)
                | (~Q(state="stored") & Q(processed_at__isnull=False)),
            )
        ]
        indexes = [
            models.Index(fields=["received_at"], condition=Q(state="stored"), name="events_to_process")
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.type}"


class LedgerEntry(models.Model):
    """Money that moved, one row per movement at Stripe. A trigger refuses to change or delete a row."""

    class Kind(models.TextChoices):
        CAPTURE = "capture"
        REFUND = "refund"

    order = models.ForeignKey(Order, models.PROTECT, related_name="ledger")
    kind = models.CharField(max_length=10, choices=Kind)
    amount = models.IntegerField()  # what we received; negative for a refund
    currency = models.CharField(max_length=3)
    stripe_id = models.CharField(max_length=255)  # the charge or the refund
    livemode = models.BooleanField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "ledger"
        constraints = [
            models.UniqueConstraint(fields=["kind", "stripe_id"], name="one_ledger_entry_per_movement"),
            models.CheckConstraint(
                name="captures_add_and_refunds_take",
                condition=Q(kind="capture", amount__gt=0) | Q(kind="refund", amount__lt=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} {self.currency}"


class Bucket(models.Model):
    """A bucket of the calls that may still be made to Stripe; see payments.processing.rate_limit."""

    name = models.CharField(primary_key=True, max_length=20)
    tokens = models.FloatField()
    filled_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(name="a_bucket_is_never_overdrawn", condition=Q(tokens__gte=0))]

    def __str__(self) -> str:
        return f"{self.name} {self.tokens:.0f}"
