"""Advancing an order: `advance_order` takes its payment from state to state until it must wait or is final.

    new ─create─▶ created ─confirm─▶ confirming ─▶ authorised ─decision─▶ capturing ─▶ captured
                     ▲                  │ ▲             └──────▶ voiding ─▶ voided
                     │                  │ └─▶ action (3-D Secure)──▶┤
                     └─1st, 2nd decline─┴─3rd───────────────────────┘

A worker that advances an order holds its lease, and renews it before each call. Each change of state is a
guarded UPDATE, committed before the call to Stripe that it announces, and each call carries an idempotency
key made from a row, so that a repeat after a crash gets the first call's answer. An unclear answer is never
taken for a result: a sweep asks Stripe again.
"""

import logging
from collections.abc import Callable, Collection

from payments.models import Payment
from payments.orders import queries
from payments.processing import account, authentication, authorising, capturing, gateway, lease, money_alerts
from payments.processing.transitions import StateChanged

log = logging.getLogger(__name__)

NEW, CREATED, CONFIRMING = Payment.State.NEW, Payment.State.CREATED, Payment.State.CONFIRMING
ACTION, AUTHORISED, CAPTURING, VOIDING = (
    Payment.State.ACTION,
    Payment.State.AUTHORISED,
    Payment.State.CAPTURING,
    Payment.State.VOIDING,
)
# What the queue `checkout` does; the queue `capture` does the rest.
AUTHORISING_STATES: Collection[str] = (NEW, CREATED, CONFIRMING)
# Each step returns whether the next one may follow at once. A state without a step is final.
STEPS: dict[str, Callable[[Payment], bool]] = {
    NEW: authorising.create_intent,
    CREATED: authorising.confirm_queued_attempt,
    CONFIRMING: authorising.retrieve_and_settle,
    ACTION: authentication.settle_action,
    AUTHORISED: capturing.begin_capture_or_void,
    CAPTURING: capturing.capture_intent,
    VOIDING: authentication.cancel_or_allocate,
}


def advance_order(*, order_id: int, states: Collection[str] = tuple(STEPS)) -> str | None:
    """Take the order as far as it goes now, as long as its payment is in one of `states`.

    Return the payment's state, or None if a different worker has the lease. Raises RateLimited if the next
    call must wait a second or two.
    """
    leased_until = lease.acquire(order_id=order_id)
    if leased_until is None:
        return None
    payment = queries.payment(order_id=order_id)
    payment.order.leased_until = leased_until
    try:
        take_steps(payment, states)
    except (StateChanged, lease.LeaseLost, gateway.OutcomeUnknown):
        pass  # a sweep comes back to it
    except gateway.StripeRefused as refused:
        log.error(
            "order %s, payment %s: Stripe refused our request: %s", payment.order, payment.state, refused
        )
        if refused.is_about_account:
            account.stop_admission(refused)
        money_alerts.try_raising(money_alerts.request_refused, payment, refused)
    finally:
        if payment.state in STEPS:  # nobody needs the lease of an order whose payment is final
            lease.release(order=payment.order)
    return payment.state


def take_steps(payment: Payment, states: Collection[str]) -> None:
    """Take one step after another until one of them says to wait."""
    while payment.state in states and payment.state in STEPS:
        step = STEPS[payment.state]
        if not step(payment):
            break
