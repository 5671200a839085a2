"""The second half of a payment, for the queue `capture`: capture what was authorised, or void it.

Each step returns whether the next step may follow at once.
"""

import logging

from django.db import transaction
from django.db.models.functions import Now

from drops import holds
from drops.models import Drop
from payments.models import Attempt, LedgerEntry, Payment
from payments.processing import gateway, money_alerts, notices, rate_limit
from payments.processing.transitions import (
    change_state,
    end_attempt,
    idempotency_key,
    live_attempt,
    prepare_call,
    retrieve_intent,
)

log = logging.getLogger(__name__)


def begin_capture_or_void(payment: Payment) -> bool:
    """Start what was decided when the payment was authorised."""
    if payment.decision == Payment.Decision.CAPTURE:
        change_state(payment, Payment.State.CAPTURING)
    else:
        change_state(payment, Payment.State.VOIDING)
    return True


def capture_intent(payment: Payment) -> bool:
    """Capture the authorised amount. If Stripe has canceled the intent, withhold the units."""
    prepare_call(payment, operation=rate_limit.CAPTURE)
    key = idempotency_key(payment, f"capture:{payment.order.uuid}")
    try:
        intent = gateway.capture(intent_id=payment.intent_id or "", key=key)
    except gateway.StripeRefused as refused:
        if refused.intent is None or refused.intent.status not in {"succeeded", "canceled"}:
            raise
        intent = refused.intent
    except gateway.OutcomeUnknown:
        intent = retrieve_intent(payment)
    if intent.status == "succeeded":
        record_capture(payment, intent)
    elif intent.status == "canceled":
        record_lost_authorisation(payment)
    return False


def record_capture(payment: Payment, intent: gateway.Intent) -> None:
    """Write the ledger entry in the same transaction as the state; then the confirmation email.

    If the drop was cancelled meanwhile, there is nothing to confirm: a sweep lists the payment for refund.
    """
    notice = Payment.Notice.CONFIRMATION.value
    if Drop.objects.cancelled().filter(pk=payment.order.hold.drop_id).exists():
        notice = ""
    with transaction.atomic():
        change_state(
            payment,
            Payment.State.CAPTURED,
            captured_at=Now(),
            charge_id=intent.charge_id,
            notice_due=notice,
        )
        LedgerEntry.objects.create(
            order=payment.order,
            kind=LedgerEntry.Kind.CAPTURE,
            amount=intent.amount_received,
            currency=payment.currency,
            stripe_id=intent.charge_id,
            livemode=payment.livemode,
        )
        if notice:
            notices.write(payment=payment, notice=notice)


def record_lost_authorisation(payment: Payment) -> None:
    """Record that Stripe canceled the payment before it was captured, and withhold its units."""
    with transaction.atomic():
        holds.withhold(hold=payment.order.hold, reason="capture refused")
        change_state(
            payment,
            Payment.State.VOIDED,
            void_reason=Payment.VoidReason.REFUSED,
            notice_due=Payment.Notice.AUTHORISATION_LOST,
        )
        notices.write(payment=payment, notice=Payment.Notice.AUTHORISATION_LOST)


def cancel_intent(payment: Payment) -> bool:
    """Cancel the intent, which releases the authorisation. Only then are the units released."""
    prepare_call(payment, operation=rate_limit.CANCEL)
    key = idempotency_key(payment, f"cancel:{payment.order.uuid}")
    try:
        intent = gateway.cancel(intent_id=payment.intent_id or "", key=key)
    except gateway.StripeRefused as refused:
        if refused.intent is None:
            raise
        intent = refused.intent
    except gateway.OutcomeUnknown:
        intent = retrieve_intent(payment)
    if intent.status == "canceled":
        record_void(payment)
    else:
        log.error(
            "order %s: its payment must be voided, but its PaymentIntent is %s", payment.order, intent.status
        )
        if intent.status == "succeeded":
            money_alerts.try_raising(money_alerts.charged_but_to_be_voided, payment)
    return False


def record_void(payment: Payment) -> None:
    """Record that nothing can be charged any more, and release the units that were being paid for."""
    with transaction.atomic():
        change_state(payment, Payment.State.VOIDED)
        attempt = live_attempt(payment)
        if attempt is not None:
            end_attempt(attempt, Attempt.State.DECLINED, "canceled")
        holds.release_unpaid(hold=payment.order.hold)
