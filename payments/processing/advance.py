"""Settle an order: one function, `advance`, takes its payment from state to state until it must wait or is over.

    new ─create─▶ created ─confirm─▶ confirming ─▶ authorised ─decided─▶ capturing ─▶ captured
                     ▲                   │              └──────▶ voiding ─▶ voided
                     └──1st, 2nd decline─┤                          ▲
                                         └─3rd, another step asked──┘

Who advances an order holds its lease for 30 s. Each move is a guarded UPDATE, committed before the call that it
announces; each call carries a key made from a row, so a repeat after a crash gets the first one's answer. What
Stripe did not answer clearly is asked again by a sweep, never concluded.
"""

import logging
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from drops import holds
from drops.models import Hold
from payments.models import Attempt, LedgerEntry, Order, Payment
from payments.orders import emails, line_items
from payments.processing import gateway, rate_limit
from shop.core.prepared import Change, Given, Insert, Read, columns

log = logging.getLogger(__name__)

LEASE_SECONDS = 30
CEILING = timedelta(minutes=10)  # from the first confirm; a later authorisation is voided
DECLINES = 3
PAYMENT = Read(
    Payment.objects.select_related("order__hold").annotate(rows=line_items.ROWS).filter(order=Given("order"))
)
LIVE_ATTEMPT = Read(Attempt.objects.filter(payment=Given("payment"), state__in=Attempt.LIVE))
LEDGER = Insert(LedgerEntry)
GIVEN_BACK = Change(Order.objects.filter(pk=Given("order"), leased_until=Given("leased")), leased_until=Now())
SEND = f"""
    UPDATE payments_attempt SET state = 'sent', sent_at = statement_timestamp()
    WHERE payment_id = %s AND state = 'queued' RETURNING {columns(Attempt)}
"""
ENDED = Change(
    Attempt.objects.filter(pk=Given("attempt"), state__in=Attempt.LIVE),
    state=Given("state"),
    ended_at=Now(),
    decline_code=Given("code"),
)

NEW, CREATED, CONFIRMING = Payment.State.NEW, Payment.State.CREATED, Payment.State.CONFIRMING
AUTHORISED, CAPTURING, CAPTURED = Payment.State.AUTHORISED, Payment.State.CAPTURING, Payment.State.CAPTURED
VOIDING, VOIDED = Payment.State.VOIDING, Payment.State.VOIDED
ASKING: Collection[str] = (NEW, CREATED, CONFIRMING)  # the queue checkout's part; the rest is the queue capture's


class Moved(Exception):
    """The row was not in the state that the move starts from: somebody else moved it."""


def advance_order(*, order_id: int, states: Collection[str] | None = None) -> str | None:
    """Take the order as far as it goes now; only from these states, if given. The payment's state; None if leased.

    Raises budget.Spent when it stands where it must wait a second or two for the budget of calls.
    """
    leased = lease(order_id=order_id)
    if leased is None:
        return None
    payment = PAYMENT.get(order=order_id)
    vars(payment.order.hold)["rows"] = vars(payment)["rows"]
    try:
        while (states is None or payment.state in states) and (step := STEPS.get(payment.state)):
            if not step(payment):
                break
    except (Moved, gateway.OutcomeUnknown):
        pass  # a sweep comes back
    except gateway.StripeRefused as refused:
        log.error("order %s in %s: Stripe refused: %s", payment.order, payment.state, refused)
    finally:
        if payment.state in STEPS:  # else it is over, and nobody waits for the lease
            GIVEN_BACK.rows(order=order_id, leased=leased)
    return payment.state


def lease(*, order_id: int) -> datetime | None:
    """Own the order for 30 s, unless somebody does; until when."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE payments_order SET leased_until = statement_timestamp() + %s * interval '1 second'"
            " WHERE id = %s AND leased_until <= statement_timestamp() RETURNING leased_until",
            [LEASE_SECONDS, order_id],
        )
        row: tuple[datetime] | None = cursor.fetchone()
        return row[0] if row else None


@cache
def moving(*fields: str) -> Change:
    """The move of a payment to another state that writes these fields, too. What they say of time is the move's own."""
    now: dict[str, object] = {
        "first_sent_at": Coalesce("first_sent_at", Now()),
        "captured_at": Now(),
        "declines": F("declines") + 1,
    }
    return Change(
        Payment.objects.filter(pk=Given("payment"), state=Given("old")),
        state=Given("state"),
        changed_at=Now(),
        **{name: now.get(name, Given(name)) for name in fields},
    )


def move(payment: Payment, state: Payment.State, *also: str, **fields: str) -> None:
    """Move the payment from the state that it was read in. Raises Moved if it is not in it any more.

    `also` names fields that the move itself knows: first_sent_at, captured_at, declines.
    """
    change = moving(*also, *fields)
    if not change.rows(payment=payment.pk, old=str(payment.state), **fields | {"state": state.value}):
        raise Moved
    payment.state = state


def end(attempt: Attempt, state: Attempt.State, code: str = "") -> None:
    """End the attempt while it is live. Raises Moved."""
    if not ENDED.rows(attempt=attempt.pk, state=state.value, code=code):
        raise Moved


def live_attempt(payment: Payment) -> Attempt | None:
    return LIVE_ATTEMPT.first(payment=payment.pk)


# --- asking the bank -----------------------------------------------------------------------------------------------
def create(payment: Payment) -> bool:
    """Make the intent, unconfirmed, and commit its id."""
    order = payment.order
    if order.hold.state == Hold.State.RELEASED:
        move(payment, VOIDED, void_reason="released")  # nothing was ever sent
        return False
    rate_limit.acquire(operation=rate_limit.CREATE)
    try:
        intent = gateway.create(
            amount=payment.amount,
            currency=payment.currency,
            order=str(order.uuid),
            key=key(payment, f"pi:{order.uuid}"),
            description=f"Order {order.number}",
        )
    except gateway.OutcomeUnknown as unknown:
        if unknown.replayed:  # at worst a second intent is made, which is never confirmed
            Payment.objects.filter(pk=payment.pk).update(looked_at=Now())
        raise
    move(payment, CREATED, intent_id=intent.id)
    payment.intent_id = intent.id
    return True


def confirm(payment: Payment) -> bool:
    """Send the queued attempt: committed as sent before the call is made."""
    rate_limit.acquire(operation=rate_limit.CONFIRM)
    with transaction.atomic():
        attempt = next(iter(Attempt.objects.raw(SEND, [payment.pk])), None)
        if attempt:
            move(payment, CONFIRMING, "first_sent_at")
    if attempt:
        return send(payment, attempt)
    if payment.order.hold.state != Hold.State.RELEASED:
        return False  # declined, and its shopper may try again
    move(payment, VOIDING, void_reason="released")
    return True


def look(payment: Payment) -> bool:
    """Find out what became of an attempt that was sent: the call before got no clear answer."""
    attempt = live_attempt(payment)
    if attempt is None:
        raise Moved
    intent = retrieve(payment)
    if intent.status not in {"requires_payment_method", "requires_confirmation"}:
        return settle(payment, attempt, intent)
    if intent.charge_id not in {"", payment.charge_id}:
        return declined(payment, attempt, intent, intent.decline_code)
    if payment.first_sent_at and payment.first_sent_at + CEILING < timezone.now():
        move(payment, VOIDING, void_reason="late")
        return True
    rate_limit.acquire(operation=rate_limit.CONFIRM)
    return send(payment, attempt)


def send(payment: Payment, attempt: Attempt) -> bool:
    """Make the confirm call, under the attempt's own key, and settle its answer."""
    try:
        intent = gateway.confirm(
            intent_id=payment.intent_id or "",
            token=attempt.confirmation_token,
            key=key(payment, f"confirm:{attempt.uuid}"),
            return_url=f"{settings.SHOP_ORIGIN}/",
        )
    except gateway.CardDeclined as no:
        return declined(payment, attempt, no.intent, no.code)
    except gateway.StripeRefused as refused:
        intent = refused.intent or retrieve(payment)
        if intent.status in {"requires_payment_method", "requires_confirmation"}:
            log.info("order %s: its card token was refused: %s", payment.order, refused)
            return declined(payment, attempt, intent, Attempt.CARD_AGAIN)
    except gateway.OutcomeUnknown:
        Attempt.objects.filter(pk=attempt.pk, state=Attempt.State.SENT).update(state=Attempt.State.UNKNOWN)
        raise
    return settle(payment, attempt, intent)


def settle(payment: Payment, attempt: Attempt, intent: gateway.Intent) -> bool:
    """Do what the intent's status asks for after a confirm."""
    if intent.status in {"requires_capture", "succeeded"}:
        return authorised(payment, attempt, intent)
    if intent.status == "requires_action":
        with transaction.atomic():
            end(attempt, Attempt.State.DECLINED, "authentication_required")
            move(payment, VOIDING, void_reason="action")
        return True
    if intent.status == "canceled":
        void(payment)
        return False
    log.warning("order %s: its intent is %s", payment.order, intent.status)  # processing: kept, and told
    return False


def authorised(payment: Payment, attempt: Attempt, intent: gateway.Intent) -> bool:
    """Allocate the units and decide, once and for good, whether the money is captured or let go."""
    with transaction.atomic():
        end(attempt, Attempt.State.AUTHORISED)
        decision, reason = Payment.Decision.CAPTURE, ""
        late = payment.first_sent_at and payment.first_sent_at + CEILING < timezone.now()
        try:
            if late:
                raise holds.HoldOver
            holds.allocate(hold=payment.order.hold)
        except holds.HoldOver:
            decision, reason = Payment.Decision.VOID, "late" if late else "lost"
        move(payment, AUTHORISED, decision=decision.value, void_reason=reason, charge_id=intent.charge_id)
    payment.decision = decision
    return True


def declined(payment: Payment, attempt: Attempt, intent: gateway.Intent | None, code: str) -> bool:
    """Give the hold back to its shopper; after the third decline, cancel the intent."""
    with transaction.atomic():
        end(attempt, Attempt.State.DECLINED, code)
        charge = intent.charge_id if intent else payment.charge_id
        if payment.declines + 1 >= DECLINES:
            move(payment, VOIDING, "declines", void_reason="declined", charge_id=charge)
        else:
            move(payment, CREATED, "declines", charge_id=charge)
            holds.reopen(hold=payment.order.hold)
    return payment.state == VOIDING


# --- taking the money, or letting it go ----------------------------------------------------------------------------
def decide(payment: Payment) -> bool:
    """Start on what was decided at the authorisation."""
    move(payment, CAPTURING if payment.decision == Payment.Decision.CAPTURE else VOIDING)
    return True


def capture(payment: Payment) -> bool:
    """Capture what was authorised; asked before, look first. Refused for good, the units are withheld."""
    order = payment.order
    rate_limit.acquire(operation=rate_limit.CAPTURE)
    try:
        intent = gateway.capture(intent_id=payment.intent_id or "", key=key(payment, f"capture:{order.uuid}"))
    except gateway.StripeRefused as refused:
        if refused.intent is None:
            raise
        intent = refused.intent
    except gateway.OutcomeUnknown:
        intent = retrieve(payment)
    if intent.status == "succeeded":
        return captured(payment, intent)
    if intent.status == "canceled":
        with transaction.atomic():
            holds.withhold(hold=order.hold, reason="capture refused")
            move(payment, VOIDED, void_reason="refused")
    return False


def captured(payment: Payment, intent: gateway.Intent) -> bool:
    """Write the money into the ledger and the mail into the outbox, with the state, in one transaction."""
    with transaction.atomic():
        move(payment, CAPTURED, "captured_at", charge_id=intent.charge_id)
        LEDGER.row(
            order=payment.order,
            kind=LedgerEntry.Kind.CAPTURE,
            amount=intent.amount_received,
            currency=payment.currency,
            stripe_id=intent.charge_id,
            livemode=payment.livemode,
        )
        emails.placed(order=payment.order)
    return False


def cancel(payment: Payment) -> bool:
    """Cancel the intent, which lets an authorisation go; only then are the units let go."""
    rate_limit.acquire(operation=rate_limit.CANCEL)
    try:
        intent = gateway.cancel(intent_id=payment.intent_id or "", key=key(payment, f"cancel:{payment.order.uuid}"))
    except gateway.StripeRefused as refused:
        if refused.intent is None:
            raise
        intent = refused.intent
    except gateway.OutcomeUnknown:
        intent = retrieve(payment)
    if intent.status == "canceled":
        void(payment)
    else:
        log.error("order %s is to be voided and its intent is %s", payment.order, intent.status)
    return False


def void(payment: Payment) -> None:
    """Record that no money can be taken any more, and let the units go that were being paid for."""
    with transaction.atomic():
        move(payment, VOIDED)
        if attempt := live_attempt(payment):
            end(attempt, Attempt.State.DECLINED, "canceled")
        holds.release_unpaid(hold=payment.order.hold)


def key(payment: Payment, name: str) -> str:
    """Name a call for Stripe, so that a repeat gets the first one's answer.

    Once Stripe was asked what became of it, the name is a new one: under the old one a stored 5xx would be
    replayed for a day. Twice in effect it can't be, since the intent's own state refuses that.
    """
    return f"{name}:{int(payment.looked_at.timestamp())}" if payment.looked_at else name


def retrieve(payment: Payment) -> gateway.Intent:
    rate_limit.acquire(operation=rate_limit.RETRIEVE)
    payment.looked_at = timezone.now()
    Payment.objects.filter(pk=payment.pk).update(looked_at=payment.looked_at)
    return gateway.retrieve(intent_id=payment.intent_id or "")


STEPS: dict[str, Callable[[Payment], bool]] = {
    NEW: create,
    CREATED: confirm,
    CONFIRMING: look,
    AUTHORISED: decide,
    CAPTURING: capture,
    VOIDING: cancel,
}
