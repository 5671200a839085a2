"""Refunds, ours and those made in Stripe's dashboard.

    requested ─▶ sent ─▶ pending ─▶ succeeded ─▶ failed (a bank may return it)
        │          │        ├─▶ requires action ─▶ succeeded, failed, canceled
        ▼          │        └─▶ failed, canceled
    withdrawn      └─▶ unknown   found among the charge's refunds, or sent again

The database keeps what we request within what is left of the captured amount (a trigger). What Stripe reports
is recorded whatever our limits say.
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payments.models.order import OrderLine
from payments.models.payment import Payment
from shop.core.fields import ShortenedCharField


class Refund(models.Model):
    """Money on its way back to a shopper, or to be sent."""

    class State(models.TextChoices):
        REQUESTED = "requested"
        SENT = "sent"
        UNKNOWN = "unknown"
        PENDING = "pending"
        REQUIRES_ACTION = "requires_action", "requires action"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        CANCELED = "canceled"
        WITHDRAWN = "withdrawn"

    UNSENT = (State.REQUESTED, State.WITHDRAWN)
    VOID = (State.FAILED, State.CANCELED, State.WITHDRAWN)  # they take nothing off the captured amount
    TO_DO = (State.REQUESTED, State.SENT, State.UNKNOWN)  # a worker has something left to do

    class Origin(models.TextChoices):
        SHOP = "shop", "requested here"
        STRIPE = "stripe", "made in Stripe's dashboard"

    class Reason(models.TextChoices):
        WITHDRAWAL = "withdrawal", "the customer withdrew from the contract"
        CANCELLED_DROP = "cancelled drop", "the drop was cancelled"
        CANCELLED_ORDER = "cancelled order", "the order was cancelled before it was shipped"
        DAMAGED = "damaged", "damaged or faulty"
        LOST = "lost", "lost on the way"
        FRAUD = "fraud", "fraudulent"
        GOODWILL = "goodwill", "goodwill"
        OTHER = "other", "other"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds")
    origin = models.CharField(max_length=6, choices=Origin, default=Origin.SHOP)
    state = models.CharField(max_length=15, choices=State, default=State.REQUESTED)
    # In the smallest unit of the payment's currency. The lines' amounts, shipping and goodwill add up to it.
    amount = models.PositiveBigIntegerField()
    shipping = models.PositiveBigIntegerField(default=0)
    goodwill = models.PositiveBigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    reason = models.CharField(max_length=20, choices=Reason, default=Reason.OTHER)
    note = ShortenedCharField(max_length=500, blank=True)  # for colleagues
    # Null: the system, or somebody in Stripe's dashboard.
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    stripe_id = models.CharField(max_length=255, null=True, unique=True)
    failure_reason = ShortenedCharField(max_length=120, blank=True)  # Stripe's
    livemode = models.BooleanField()
    requested_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)  # committed before the call
    changed_at = models.DateTimeField(db_default=Now())
    checked_at = models.DateTimeField(null=True)  # when Stripe was last asked about it
    units_decided_at = models.DateTimeField(
        null=True
    )  # since when a person has said what becomes of the units
    tries = models.PositiveSmallIntegerField(default=0)  # that failed
    last_error = models.TextField(blank=True)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.CheckConstraint(name="a_refund_is_of_some_amount", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="an_unsent_refund_was_never_sent",
                condition=~Q(state__in=["requested", "withdrawn"]) | Q(sent_at=None, stripe_id=None),
            ),
            models.CheckConstraint(
                name="a_sent_refund_has_its_time",
                condition=Q(state__in=["requested", "withdrawn"]) | Q(sent_at__isnull=False),
            ),
            models.CheckConstraint(
                name="a_refund_at_stripe_has_its_id",
                condition=Q(state__in=["requested", "withdrawn", "sent", "unknown", "failed", "canceled"])
                | Q(stripe_id__isnull=False),
            ),
            models.CheckConstraint(
                name="a_refund_from_stripe_has_its_id",
                condition=Q(origin="shop") | Q(stripe_id__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["changed_at"],
                condition=Q(state__in=["requested", "sent", "unknown"]),
                name="refunds_to_send",
            )
        ]

    def __str__(self) -> str:
        return f"{self.uuid} {self.state}"


class RefundLine(models.Model):
    """The part of a refund that is for pieces of one order line, and what becomes of them."""

    class Units(models.TextChoices):
        WITHHELD = "withheld", "withheld from sale"
        KEPT = "kept", "left with the customer"

    refund = models.ForeignKey(Refund, models.CASCADE, related_name="lines")
    line = models.ForeignKey(OrderLine, models.PROTECT, related_name="refund_lines")
    amount = models.PositiveBigIntegerField()
    numbers = models.JSONField(default=list)  # of the pieces; empty if only money goes back
    units = models.CharField(max_length=8, choices=Units, default=Units.KEPT)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["refund", "line"], name="one_refund_line_per_refund_and_line")
        ]

    def __str__(self) -> str:
        return f"{self.amount} for {self.line}"
