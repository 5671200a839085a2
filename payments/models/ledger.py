"""Stripe's events as they came, the append-only ledger of money moved, the buckets of the rate limit.

The ledger says what we know to have moved; Stripe's balance transactions, copied as they are, say the same in
the currency that Stripe pays out, with its fees. Reconciliation compares the two.
"""

from django.db import models
from django.db.models import F, Q
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
    charge_id = models.CharField(max_length=255, blank=True, default="", db_default="")
    payload = models.JSONField()
    state = models.CharField(max_length=9, choices=State, default=State.STORED)
    reason = ShortenedCharField(max_length=80, blank=True, default="")  # why it was ignored
    received_at = models.DateTimeField(db_default=Now())
    processed_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)  # that failed
    last_error = models.TextField(blank=True, default="", db_default="")

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
        REFUND_FAILED = "refund failed"  # the bank sent a refund back
        DISPUTE_WITHDRAWN = "dispute withdrawn"  # Stripe took the amount while the bank decides
        DISPUTE_REINSTATED = "dispute reinstated"  # and gave it back
        FEE = "fee"  # Stripe's, in the currency that it pays out

    order = models.ForeignKey(Order, models.PROTECT, related_name="ledger")
    kind = models.CharField(max_length=20, choices=Kind)
    amount = models.BigIntegerField()  # what we received; negative for what was taken
    currency = models.CharField(max_length=3)
    stripe_id = models.CharField(
        max_length=255
    )  # the charge, the refund, the dispute; a fee's balance transaction
    livemode = models.BooleanField()
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "ledger"
        constraints = [
            models.UniqueConstraint(fields=["kind", "stripe_id"], name="one_ledger_entry_per_movement"),
            models.CheckConstraint(
                name="a_ledger_entry_has_the_sign_of_its_kind",
                condition=Q(kind__in=["capture", "refund failed", "dispute reinstated"], amount__gt=0)
                | Q(kind__in=["refund", "dispute withdrawn"], amount__lt=0)
                | (Q(kind="fee") & ~Q(amount=0)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount} {self.currency}"


class BalanceTransaction(models.Model):
    """One of Stripe's balance transactions, as listed: money in the currency that Stripe pays out."""

    id = models.CharField(primary_key=True, max_length=255)
    type = models.CharField(max_length=255)  # Stripe's: charge, refund, adjustment, stripe_fee …
    source_id = models.CharField(max_length=255, blank=True)  # of the charge, the refund or the dispute
    order = models.ForeignKey(Order, models.PROTECT, null=True, related_name="balance_transactions")
    amount = models.BigIntegerField()  # before Stripe's fee
    fee = models.BigIntegerField()
    net = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    exchange_rate = models.DecimalField(max_digits=20, decimal_places=10, null=True)
    created_at = models.DateTimeField()  # by Stripe's clock
    livemode = models.BooleanField()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                name="a_balance_transaction_adds_up", condition=Q(net=F("amount") - F("fee"))
            )
        ]
        indexes = [models.Index(fields=["source_id"], name="balance_transactions_by_source")]

    def __str__(self) -> str:
        return f"{self.id} {self.type}"


class Reconciliation(models.Model):
    """One comparison of our rows with what Stripe lists, and every difference that it found."""

    began_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)  # null while it runs, or if it broke off
    since = models.DateTimeField()
    compared = models.PositiveIntegerField(default=0)  # objects of Stripe's
    differences = models.JSONField(default=list)  # sentences that name both sides
    error = models.TextField(blank=True, default="")  # why it broke off

    class Meta:
        ordering = ["-began_at"]

    def __str__(self) -> str:
        return f"{self.began_at} {len(self.differences)} differences"


class Bucket(models.Model):
    """A bucket of the calls that may still be made to Stripe; see payments.processing.rate_limit."""

    name = models.CharField(primary_key=True, max_length=20)
    tokens = models.FloatField()
    filled_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(name="a_bucket_is_never_overdrawn", condition=Q(tokens__gte=0))]

    def __str__(self) -> str:
        return f"{self.name} {self.tokens:.0f}"
