"""An order's one payment (one PaymentIntent) and an attempt per confirm.

    payment   new ─▶ created ─▶ confirming ─▶ authorised ─▶ capturing ─▶ captured
               │        ▲  │        │ ▲ └▶ action ─┘│
               │        └──┼declined┘               │
               │           └───────▶ voiding ◀──────┘ ─▶ voided
               └─────────────────────────────────────────▲      nothing was sent

    attempt   queued ─▶ sent ─▶ authorised | action | declined | unknown (asked again until known)
                └─▶ withdrawn

An attempt is committed as sent before the call to Stripe is made.
"""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from payments.models.order import Order
from shop.core.fields import ShortenedCharField


class Payment(models.Model):
    """The one payment of an order: one PaymentIntent at Stripe, captured once the units are allocated."""

    class State(models.TextChoices):
        NEW = "new"
        CREATED = "created"
        CONFIRMING = "confirming"
        ACTION = "action"
        AUTHORISED = "authorised"
        CAPTURING = "capturing"
        CAPTURED = "captured"
        VOIDING = "voiding"
        VOIDED = "voided"

    FINAL = (State.CAPTURED, State.VOIDED)

    class Notice(models.TextChoices):
        """What must still be written about a payment, besides the record of its money."""

        CONFIRMATION = "confirmation"  # the email with the numbers
        CANCELLATION = "cancellation"  # the email that the drop was cancelled and the money comes back
        AUTHORISATION_LOST = "authorisation lost"  # an alert

    class Decision(models.TextChoices):
        CAPTURE = "capture"
        VOID = "void"

    class VoidReason(models.TextChoices):
        LOST = "lost"  # the units were released before the bank answered
        LATE = "late"  # only in old rows: the bank took more than ten minutes
        DECLINED = "declined"  # three times
        ACTION = "action"  # only in old rows: the bank wanted to confirm it with the shopper
        NOT_AUTHENTICATED = "not authenticated"  # the shopper didn't confirm it at the bank in time
        WITHDRAWN = "withdrawn"  # it was never sent to Stripe
        REFUSED = "refused"  # Stripe canceled the authorisation before it was captured
        RELEASED = "released"  # the shopper gave the hold back, or it lapsed
        CANCELLED = "cancelled"  # the drop was
        LIMIT = "limit"  # the person had all that the drop's limit per person allows
        REQUEST = "request"  # Stripe refused our own request, for example our key or the currency
        SHOP = "shop"  # the shop cancelled the order before it was captured

    order = models.OneToOneField(Order, models.PROTECT, related_name="payment")
    state = models.CharField(max_length=10, choices=State, default=State.NEW)
    # Made once, when the payment is authorised or its order cancelled before that, and never changed.
    decision = models.CharField(max_length=7, choices=Decision, blank=True, default="")
    # Ids of Stripe's are up to 255 characters long.
    intent_id = models.CharField(max_length=255, null=True, unique=True)
    charge_id = models.CharField(max_length=255, blank=True, default="")
    amount = models.PositiveBigIntegerField()
    currency = models.CharField(max_length=3)
    livemode = models.BooleanField()
    declines = models.PositiveSmallIntegerField(default=0)
    # Unused. It goes with the next release, because the previous one still writes it.
    first_sent_at = models.DateTimeField(null=True)
    void_reason = models.CharField(max_length=20, choices=VoidReason, blank=True, default="")
    changed_at = models.DateTimeField(db_default=Now())
    captured_at = models.DateTimeField(null=True)
    refund_due_at = models.DateTimeField(null=True)  # listed for refund since then: its drop was cancelled
    notice_due = models.CharField(max_length=20, choices=Notice, blank=True, db_default="", default="")
    checked_at = models.DateTimeField(null=True)  # when Stripe was last asked about it, or a sweep claimed it
    # While the bank wants to confirm the payment with its shopper (3-D Secure): what the page needs for that,
    # and until when. The secret is cleared afterwards.
    client_secret = models.CharField(max_length=255, blank=True, default="", db_default="")
    action_ends_at = models.DateTimeField(null=True)
    capture_before = models.DateTimeField(null=True)  # when the authorisation ends, as its charge says
    failures = models.PositiveSmallIntegerField(default=0, db_default=0)  # in a row, of advancing the order
    last_error = models.TextField(blank=True, default="", db_default="")  # of the last failure
    outcome_seen_at = models.DateTimeField(
        null=True
    )  # when the shopper's page showed the last decline or void
    # Of the card that was authorised, as its charge says.
    card_brand = ShortenedCharField(max_length=20, blank=True, default="", db_default="")
    card_last4 = ShortenedCharField(max_length=4, blank=True, default="", db_default="")
    wallet = ShortenedCharField(max_length=20, blank=True, default="", db_default="")
    three_d_secure = ShortenedCharField(max_length=40, blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="a_payment_under_way_has_its_intent",
                condition=Q(state__in=["new", "voided"]) | Q(intent_id__isnull=False),
            ),
            models.CheckConstraint(
                name="a_captured_payment_was_to_be_captured",
                condition=~Q(state__in=["capturing", "captured"]) | Q(decision="capture"),
            ),
            models.CheckConstraint(
                name="only_a_captured_payment_is_refunded",
                condition=Q(refund_due_at=None) | Q(state="captured"),
            ),
            models.CheckConstraint(
                name="an_authentication_has_its_end",
                condition=~Q(state="action") | Q(action_ends_at__isnull=False),
            ),
            models.CheckConstraint(
                name="a_captured_payment_has_its_time",
                condition=Q(state="captured", captured_at__isnull=False)
                | (~Q(state="captured") & Q(captured_at=None)),
            ),
        ]
        indexes = [
            models.Index(
                fields=["changed_at"],
                condition=~Q(state__in=["captured", "voided"]),
                name="payments_under_way",
            ),
            models.Index(fields=["changed_at"], condition=~Q(notice_due=""), name="notices_to_write"),
            models.Index(
                fields=["changed_at"],
                condition=Q(state="voided", outcome_seen_at=None),
                name="voids_that_nobody_saw",
            ),
            models.Index(fields=["card_last4"], condition=~Q(card_last4=""), name="payments_by_last_digits"),
            models.Index(
                fields=["refund_due_at"], condition=Q(refund_due_at__isnull=False), name="refunds_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.state}"


class Attempt(models.Model):
    """One confirm of a payment with one ConfirmationToken."""

    class State(models.TextChoices):
        QUEUED = "queued"
        SENT = "sent"
        AUTHORISED = "authorised"
        ACTION = "action"
        DECLINED = "declined"
        UNKNOWN = "unknown"
        WITHDRAWN = "withdrawn"

    LIVE = (State.QUEUED, State.SENT, State.ACTION, State.UNKNOWN)
    # Our own decline code: the token was used, has expired, is unknown or belongs to the other mode.
    CARD_AGAIN = "card_again"
    # Another one: Stripe refused our own request, whatever the card is.
    REQUEST_REFUSED = "request_refused"

    uuid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="attempts")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    confirmation_token = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now())
    sent_at = models.DateTimeField(null=True)  # committed before the call
    ended_at = models.DateTimeField(null=True)
    decline_code = ShortenedCharField(max_length=60, blank=True, default="")
    returned_at = models.DateTimeField(null=True)  # when the address that the bank sends back to was used

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["payment"],
                condition=Q(state__in=["queued", "sent", "action", "unknown"]),
                name="one_live_attempt_per_payment",
            ),
            models.CheckConstraint(
                name="a_sent_attempt_has_its_time",
                condition=Q(state__in=["queued", "withdrawn"]) | Q(sent_at__isnull=False),
            ),
            models.CheckConstraint(
                name="an_unsent_attempt_was_never_sent",
                condition=~Q(state__in=["queued", "withdrawn"]) | Q(sent_at=None),
            ),
        ]
        indexes = [models.Index(fields=["created_at"], condition=Q(state="queued"), name="attempts_to_send")]

    def __str__(self) -> str:
        return f"{self.uuid} {self.state}"
