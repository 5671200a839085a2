"""Disputes and early fraud warnings, as Stripe reports them.

    inquiry ─▶ closed          open ─▶ won
       └─────▶ open              └───▶ lost

An order isn't packed or shipped while a dispute about it is open, inquiries included.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payments.models.payment import Payment
from shop.core.fields import ShortenedCharField


class Dispute(models.Model):
    """A shopper's bank asks about a charge (an inquiry), or takes its money back until it has decided."""

    class State(models.TextChoices):
        INQUIRY = "inquiry"
        OPEN = "open"
        CLOSED = "closed", "inquiry closed"
        WON = "won"
        LOST = "lost"

    UNDECIDED = (State.INQUIRY, State.OPEN)  # the order waits
    TAKING = (State.OPEN, State.LOST)  # they take their amount off what may be refunded

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="disputes")
    stripe_id = models.CharField(max_length=255, unique=True)
    charge_id = models.CharField(max_length=255)
    state = models.CharField(max_length=10, choices=State)
    stripe_status = ShortenedCharField(max_length=40)  # in Stripe's own words: "warning_needs_response" …
    reason = ShortenedCharField(max_length=60, blank=True)  # Stripe's: "fraudulent", "product_not_received" …
    amount = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    evidence_due_at = models.DateTimeField(null=True)
    opened_at = models.DateTimeField()  # by Stripe's clock
    changed_at = models.DateTimeField(db_default=Now())
    closed_at = models.DateTimeField(null=True)
    livemode = models.BooleanField()

    class Meta:
        ordering = ["evidence_due_at", "-opened_at"]
        constraints = [
            models.CheckConstraint(
                name="a_decided_dispute_is_closed",
                condition=Q(state__in=["inquiry", "open"], closed_at=None)
                | Q(state__in=["closed", "won", "lost"], closed_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.stripe_id} {self.state}"


class FraudWarning(models.Model):
    """A card network's warning that a charge may be fraudulent: a refund now may avoid a dispute."""

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="fraud_warnings")
    stripe_id = models.CharField(max_length=255, unique=True)
    charge_id = models.CharField(max_length=255)
    type = ShortenedCharField(max_length=60)  # Stripe's: "made_with_stolen_card" …
    actionable = models.BooleanField()  # Stripe's: a refund can still avoid a dispute
    warned_at = models.DateTimeField()  # by Stripe's clock
    handled_at = models.DateTimeField(null=True)
    handled_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    livemode = models.BooleanField()

    class Meta:
        ordering = ["-warned_at"]

    def __str__(self) -> str:
        return f"{self.stripe_id} {self.type}"
