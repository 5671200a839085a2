"""The first half of a payment, for the queue `checkout`: create the intent, confirm it, record the answer.

Each step returns whether the next step may follow at once.
"""

import logging
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from drops import holds
from drops.models import Drop, Hold
from payments.models import Attempt, Payment
from payments.orders import links
from payments.processing import account, gateway, money_alerts, rate_limit
from payments.processing.capturing import record_void
from payments.processing.transitions import (
    StateChanged,
    change_state,
    end_attempt,
    idempotency_key,
    live_attempt,
    prepare_call,
    retrieve_intent,
)
from shop.core import sql

log = logging.getLogger(__name__)

UNSENT_LIMIT = timedelta(minutes=10)  # an attempt that waited longer is withdrawn, and never sent
ALERT_AFTER = timedelta(minutes=10)  # without an answer from the bank; nothing is concluded from that
MAX_DECLINES = 3
ACTION_LIMIT = timedelta(minutes=10)  # for the shopper to confirm the payment at the bank (3-D Secure)
# Stripe's code for a shopper who didn't; there is no charge then.
AUTHENTICATION_FAILURE = "payment_intent_authentication_failure"
# The parameters of a confirm that are the shopper's: what is wrong with them, another card mends.
CARD_PARAMS = ("confirmation_token", "payment_method")
UNCONFIRMED_STATUSES = {"requires_payment_method", "requires_confirmation"}


def create_intent(payment: Payment) -> bool:
    """Create the PaymentIntent, unconfirmed, and commit its id."""
    order = payment.order
    if order.hold.state == Hold.State.RELEASED:
        # Nothing was ever sent to Stripe.
        change_state(payment, Payment.State.VOIDED, void_reason=release_reason(payment))
        return False
    prepare_call(payment, operation=rate_limit.CREATE)
    try:
        intent = gateway.create(
            amount=payment.amount,
            currency=payment.currency,
            order=str(order.uuid),
            key=idempotency_key(payment, f"pi:{order.uuid}"),
            description=f"Order {order.number}",
        )
    except gateway.OutcomeUnknown as unknown:
        if unknown.replayed:
            # Ask under a new key next time. At worst that creates a second intent, which is never confirmed.
            Payment.objects.filter(pk=payment.pk).update(checked_at=Now())
        raise
    except gateway.StripeRefused as refused:
        give_up(payment, refused)
        return False
    change_state(payment, Payment.State.CREATED, intent_id=intent.id)
    payment.intent_id = intent.id
    return True


def confirm_queued_attempt(payment: Payment) -> bool:
    """Send the queued attempt. It is committed as sent before the call is made."""
    prepare_call(payment, operation=rate_limit.CONFIRM)
    with transaction.atomic():
        attempt = mark_queued_attempt_as_sent(payment)
        if attempt is not None:
            change_state(payment, Payment.State.CONFIRMING)
    if attempt is not None:
        return confirm(payment, attempt, is_first=True)
    if payment.order.hold.state != Hold.State.RELEASED:
        return False  # declined, and the shopper may try again; or too old to be sent
    change_state(payment, Payment.State.VOIDING, void_reason=release_reason(payment))
    return True


def release_reason(payment: Payment) -> str:
    """Return why a payment is voided whose hold was released."""
    if payment.decision == Payment.Decision.VOID:
        return payment.void_reason
    if payment.order.hold.is_over_by_cancellation:
        return Payment.VoidReason.CANCELLED
    return Payment.VoidReason.RELEASED


def mark_queued_attempt_as_sent(payment: Payment) -> Attempt | None:
    """Mark the queued attempt as sent and return it.

    None if there is none, it waited too long, or the drop or the order is cancelled: then a sweep withdraws
    it.
    """
    with connection.cursor() as cursor:
        # RETURNING gives the row that was changed, so that marking and reading are one statement.
        cursor.execute(
            f"""
            UPDATE payments_attempt SET state = 'sent', sent_at = statement_timestamp()
            WHERE payment_id = %s AND state = 'queued'
              AND created_at >= statement_timestamp() - %s * interval '1 second'
              AND NOT EXISTS (SELECT FROM drops_drop WHERE id = %s AND cancelled_at IS NOT NULL)
              AND NOT EXISTS (SELECT FROM payments_payment p WHERE p.id = payment_id AND p.decision = 'void')
            RETURNING {sql.columns(Attempt)}
            """,
            [payment.pk, UNSENT_LIMIT.total_seconds(), payment.order.hold.drop_id],
        )
        row = cursor.fetchone()
    return sql.from_row(Attempt, row) if row else None


def retrieve_and_settle(payment: Payment) -> bool:
    """Find out what became of an attempt that got no clear answer; confirm it again if nothing did."""
    attempt = live_attempt(payment)
    if attempt is None:
        raise StateChanged
    intent = retrieve_intent(payment)
    if intent.status not in UNCONFIRMED_STATUSES:
        return settle_confirm(payment, attempt, intent)
    has_new_charge = intent.charge_id not in {"", payment.charge_id}  # which failed
    if has_new_charge or intent.decline_code == AUTHENTICATION_FAILURE:
        return record_decline(payment, attempt, intent, intent.decline_code)
    prepare_call(payment, operation=rate_limit.CONFIRM)
    return confirm(payment, attempt)


def give_up(payment: Payment, refused: gateway.StripeRefused) -> None:
    """End a payment whose intent Stripe won't create, since no repeat of our request can succeed.

    Nothing was charged, and the units are released. A person is alerted.
    """
    attempt = live_attempt(payment)
    with transaction.atomic():
        if attempt is not None:
            end_attempt(attempt, Attempt.State.WITHDRAWN)
        change_state(payment, Payment.State.VOIDED, void_reason=Payment.VoidReason.REQUEST)
        holds.release_unpaid(hold=payment.order.hold)
    alert_giving_up(payment, refused, call="create")


def give_up_confirming(payment: Payment, attempt: Attempt, refused: gateway.StripeRefused) -> bool:
    """End a payment whose first confirm Stripe refuses because of our request, not of the card."""
    with transaction.atomic():
        end_attempt(attempt, Attempt.State.DECLINED, Attempt.REQUEST_REFUSED)
        change_state(payment, Payment.State.VOIDING, void_reason=Payment.VoidReason.REQUEST)
    alert_giving_up(payment, refused, call="confirm")
    return not refused.is_about_account


def alert_giving_up(payment: Payment, refused: gateway.StripeRefused, *, call: str) -> None:
    """Alert that payments end so; let nobody in any more if every other one will, too."""
    if refused.is_about_account:
        account.stop_admission(refused)
    money_alerts.try_raising(money_alerts.gave_up, payment, refused=refused, call=call)


def confirm(payment: Payment, attempt: Attempt, *, is_first: bool = False) -> bool:
    """Confirm the intent under the attempt's own key, and settle the answer.

    Only of the first confirm is it known that nothing can have come of it when Stripe refuses our request.
    """
    try:
        intent = gateway.confirm(
            intent_id=payment.intent_id or "",
            token=attempt.confirmation_token,
            key=idempotency_key(payment, f"confirm:{attempt.uuid}"),
            return_url=links.return_url(attempt),
        )
    except gateway.CardDeclined as declined:
        return record_decline(payment, attempt, declined.intent, declined.code)
    except gateway.StripeRefused as refused:
        is_about_card = refused.param in CARD_PARAMS or refused.intent is not None
        if is_first and not is_about_card:
            return give_up_confirming(payment, attempt, refused)
        if refused.is_about_account:
            raise
        intent = refused.intent or retrieve_intent(payment)
        if intent.status in UNCONFIRMED_STATUSES:
            log.info("order %s: Stripe refused its ConfirmationToken: %s", payment.order, refused)
            return record_decline(payment, attempt, intent, Attempt.CARD_AGAIN)
    except gateway.OutcomeUnknown:
        Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.SENT).update(state=Attempt.State.UNKNOWN)
        raise
    return settle_confirm(payment, attempt, intent)


def settle_confirm(payment: Payment, attempt: Attempt, intent: gateway.Intent) -> bool:
    """Record what the intent's status says after a confirm."""
    if intent.status in {"requires_capture", "succeeded"}:
        return record_authorisation(payment, attempt, intent)
    if intent.status == "requires_action":
        return record_action(payment, attempt, intent)
    if intent.status == "canceled":
        record_void(payment)
        return False
    # The bank is still processing. Nothing is concluded; a sweep asks again.
    log.warning("order %s: its PaymentIntent is %s", payment.order, intent.status)
    if attempt.sent_at is not None and attempt.sent_at + ALERT_AFTER < timezone.now():
        money_alerts.try_raising(money_alerts.still_processing, payment)
    return False


def record_action(payment: Payment, attempt: Attempt, intent: gateway.Intent) -> bool:
    """Record that the shopper must confirm the payment at the bank (3-D Secure), within ACTION_LIMIT.

    The hold stays as it is meanwhile. The order's page needs the client secret to show the bank's page.
    """
    with transaction.atomic():
        sent = Attempt.objects.filter(pk=attempt.pk, state__in=[Attempt.State.SENT, Attempt.State.UNKNOWN])
        if not sent.update(state=Attempt.State.ACTION):
            raise StateChanged
        change_state(
            payment,
            Payment.State.ACTION,
            client_secret=intent.client_secret,
            action_ends_at=Now() + ACTION_LIMIT,
        )
    return False


def record_authorisation(payment: Payment, attempt: Attempt, intent: gateway.Intent) -> bool:
    """Allocate the units and decide, once and for good, whether the payment is captured or voided."""
    with transaction.atomic():
        # Locked, so that an order is cancelled before this, which then voids it, or can't be any more.
        decided = Payment.objects.select_for_update().get(pk=payment.pk)
        end_attempt(attempt, Attempt.State.AUTHORISED)
        void_reason = decided.void_reason
        if decided.decision != Payment.Decision.VOID:
            void_reason = allocate_units(payment)
        payment.decision = Payment.Decision.CAPTURE
        if void_reason:
            payment.decision = Payment.Decision.VOID
        change_state(
            payment,
            Payment.State.AUTHORISED,
            decision=payment.decision,
            void_reason=void_reason,
            charge_id=intent.charge_id,
            card_brand=intent.card.brand,
            card_last4=intent.card.last4,
            wallet=intent.card.wallet,
            three_d_secure=intent.card.three_d_secure,
            capture_before=intent.card.capture_before,
        )
    return True


def allocate_units(payment: Payment) -> str:
    """Allocate the hold's units for good; return why the payment must be voided instead, or nothing.

    However long the bank took: the shopper was in time if the hold became `paying` before its end, which
    holds.pay decided, and as long as it is `paying` its units are the shopper's.
    """
    try:
        holds.allocate(hold=payment.order.hold)
    except holds.DropCancelled:
        return Payment.VoidReason.CANCELLED
    except holds.HoldOver:
        return Payment.VoidReason.LOST
    return ""


def record_decline(payment: Payment, attempt: Attempt, intent: gateway.Intent | None, code: str) -> bool:
    """Reopen the hold so that its shopper can try again.

    Void the payment after the third decline, or if the drop was cancelled meanwhile.
    """
    charge_id = payment.charge_id
    if intent:
        charge_id = intent.charge_id
    fields = {"declines": F("declines") + 1, "charge_id": charge_id}
    void_reason = ""
    if Drop.objects.cancelled().filter(pk=payment.order.hold.drop_id).exists():
        void_reason = Payment.VoidReason.CANCELLED
    elif Payment.objects.filter(pk=payment.pk, decision=Payment.Decision.VOID).exists():
        void_reason = Payment.VoidReason.SHOP
    elif payment.declines + 1 >= MAX_DECLINES:
        void_reason = Payment.VoidReason.DECLINED
    with transaction.atomic():
        end_attempt(attempt, Attempt.State.DECLINED, code)
        if not void_reason:
            change_state(payment, Payment.State.CREATED, **fields)
            holds.reopen(hold=payment.order.hold)
            return False
        change_state(payment, Payment.State.VOIDING, void_reason=void_reason, **fields)
        return True
