"""3-D Secure: the bank asks the shopper to confirm the payment, and gets ten minutes for it.

    action ─▶ authorised            the shopper has confirmed
       ├────▶ created               has refused, or the bank has declined: the hold may try another card
       └────▶ voiding ─▶ voided     has done nothing in time, or the drop was cancelled
                 └────▶ authorised  has confirmed after all, before the intent was canceled

What the shopper did is known from Stripe alone, however the browser comes back, or if it never does.
"""

from django.db.models import Q
from django.db.models.functions import Now

from drops.models import Drop
from payments.models import Payment
from payments.processing import authorising, capturing
from payments.processing.transitions import StateChanged, change_state, live_attempt, retrieve_intent

NOT_CONFIRMED = "authentication_failed"  # our own decline code, where Stripe names none


def settle_action(payment: Payment) -> bool:
    """Ask Stripe what the shopper has done at the bank, and record it."""
    attempt = live_attempt(payment)
    if attempt is None:
        raise StateChanged
    intent = retrieve_intent(payment)
    if intent.status == "requires_action":
        return end_if_over(payment)
    if intent.status in authorising.UNCONFIRMED_STATUSES:
        return authorising.record_decline(payment, attempt, intent, intent.decline_code or NOT_CONFIRMED)
    return authorising.settle_confirm(payment, attempt, intent)


def end_if_over(payment: Payment) -> bool:
    """Begin to void a payment whose ten minutes are over, or whose drop is cancelled."""
    reason = Payment.VoidReason.NOT_AUTHENTICATED
    if payment.decision == Payment.Decision.VOID:
        reason = Payment.VoidReason(payment.void_reason)
    elif Drop.objects.cancelled().filter(pk=payment.order.hold.drop_id).exists():
        reason = Payment.VoidReason.CANCELLED
    elif not Payment.objects.filter(Q(action_ends_at__lte=Now()), pk=payment.pk).exists():
        return False
    change_state(payment, Payment.State.VOIDING, void_reason=reason)
    payment.void_reason = reason
    return True


def cancel_or_allocate(payment: Payment) -> bool:
    """Cancel the intent, unless the shopper has confirmed the payment after all: then allocate the units."""
    if payment.void_reason != Payment.VoidReason.NOT_AUTHENTICATED:
        return capturing.cancel_intent(payment)
    intent = retrieve_intent(payment)
    attempt = live_attempt(payment)
    if intent.status == "requires_capture" and attempt is not None:
        return authorising.record_authorisation(payment, attempt, intent)
    return capturing.cancel_intent(payment)
