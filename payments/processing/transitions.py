"""The guarded UPDATEs that move a payment and its attempt, and what every call to Stripe needs."""

from typing import Any

from django.db.models.functions import Now

from payments.models import Attempt, Payment
from payments.processing import gateway, lease, rate_limit


class StateChanged(Exception):
    """The row has left the state that it was read in: a different worker has moved it."""


def change_state(payment: Payment, state: Payment.State, **fields: Any) -> None:
    """Move the payment on from the state that it was read in, and write the fields. Raises StateChanged."""
    if payment.state == Payment.State.ACTION:
        fields |= {"client_secret": "", "action_ends_at": None}  # of no use to anybody any more
    # One UPDATE decides between two workers: only the first finds the payment in its old state.
    unmoved = Payment.objects.filter(pk=payment.pk, state=payment.state)
    if not unmoved.update(state=state, changed_at=Now(), **fields):
        raise StateChanged
    payment.state = state


def live_attempt(payment: Payment) -> Attempt | None:
    """Return the payment's attempt that is queued or has no final answer yet."""
    return payment.attempts.filter(state__in=Attempt.LIVE).first()


def end_attempt(attempt: Attempt, state: Attempt.State, decline_code: str = "") -> None:
    """End a live attempt. Raises StateChanged if it has ended already."""
    live = Attempt.objects.filter(pk=attempt.pk, state__in=Attempt.LIVE)
    if not live.update(state=state, ended_at=Now(), decline_code=decline_code):
        raise StateChanged


def prepare_call(payment: Payment, *, operation: str) -> None:
    """Make sure that a call to Stripe may be made now, and that nobody else advances the order meanwhile.

    Raises RateLimited, LeaseLost.
    """
    rate_limit.acquire(operation=operation)
    lease.renew(order=payment.order)


def idempotency_key(payment: Payment, call: str) -> str:
    """Return the key of a call to Stripe, so that a repeat gets the first call's answer.

    After Stripe was asked what became of the call, the key is a new one: under the old one, Stripe would
    repeat a stored 5xx for a day. The call can't take effect twice, since the intent's own state refuses
    that.
    """
    if payment.checked_at is None:
        return call
    return f"{call}:{int(payment.checked_at.timestamp())}"


def retrieve_intent(payment: Payment) -> gateway.Intent:
    """Ask Stripe for the payment's intent, and record that it was asked."""
    prepare_call(payment, operation=rate_limit.RETRIEVE)
    # By the database's clock: events that came before are ignored, and a worker's clock may be ahead.
    Payment.objects.filter(pk=payment.pk).update(checked_at=Now())
    payment.refresh_from_db(fields=["checked_at"])
    return gateway.retrieve(intent_id=payment.intent_id or "")
