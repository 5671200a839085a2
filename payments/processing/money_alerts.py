"""Alerts about money: what workers can't put right by themselves, so a person must look at it.

Each is raised where the fault is seen, as often as it is seen. A periodic task resolves those whose payment
has moved on, so that orders without a fault cost nothing.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Concatenate, ParamSpec

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from payments.models import Payment, Refund
from payments.processing import gateway
from shop.core import alerts, money
from shop.core.models import Alert

log = logging.getLogger(__name__)

P = ParamSpec("P")

SOURCE = "payments"
ENDS_SOON = timedelta(hours=24)
ACCOUNT_SUBJECT = "Stripe refuses our key"
CALL_NAMES: dict[str, str] = {  # what a worker asks Stripe for while a payment is in this state
    Payment.State.NEW: "create",
    Payment.State.CREATED: "confirm",
    Payment.State.CONFIRMING: "confirm",
    Payment.State.CAPTURING: "capture",
    Payment.State.VOIDING: "cancel",
}


def try_raising(
    raise_alert: Callable[Concatenate[Payment, P], None],
    payment: Payment,
    *args: P.args,
    **kwargs: P.kwargs,
) -> None:
    """Raise one of the alerts below about the payment; log a failure to, which undoes nothing else.

    The alert is raised again the next time that its fault is seen.
    """
    try:
        with transaction.atomic():
            raise_alert(payment, *args, **kwargs)
    except Exception:  # an alert is no reason to stop or undo what is done about the payment
        log.exception("order %s: its alert could not be raised", payment.order)


def request_refused(payment: Payment, refused: gateway.StripeRefused) -> None:
    """Stripe refused a request of ours, which only a person can explain; the shop goes on trying."""
    call = CALL_NAMES.get(payment.state, "process")
    _raise(
        payment,
        f"{call} refused",
        f"Stripe refuses to {call} the payment of order {_described(payment)}: “{refused.reason}” Nothing has"
        f" changed, and the shop tries again every few seconds. {_look_at(payment)}",
    )


def gave_up(payment: Payment, *, refused: gateway.StripeRefused, call: str) -> None:
    """Stripe refused our request to take a payment, so the order has ended. It may happen to all others."""
    order = payment.order
    alerts.raise_alert(
        source=SOURCE,
        subject=f"drop:{order.hold.drop.slug} payments refused",
        message=f"Stripe refuses to {call} payments: “{refused.reason}” Order {_described(payment)} has ended, and"
        " nobody was charged. Check the drop's currency, and the shop's key and account at Stripe.",
        details={"drop": order.hold.drop.slug},
    )


def account_refused(reason: str) -> None:
    """Stripe refuses our key: nobody is admitted until it doesn't."""
    alerts.raise_alert(
        source=SOURCE,
        subject=ACCOUNT_SUBJECT,
        message=f"Stripe refuses the shop's key or what it may do: “{reason}” Nobody is let in to any drop until"
        " that is mended. Check STRIPE_SECRET_KEY and its permissions in Stripe's dashboard.",
    )


def account_accepted() -> None:
    """Resolve the alert that Stripe refuses our key."""
    alerts.resolve(subject=ACCOUNT_SUBJECT)


def authorisation_lost(payment: Payment) -> None:
    """Stripe canceled an authorised payment before it was captured. Nobody has paid for its units."""
    _raise(
        payment,
        "authorisation lost",
        f"Stripe canceled the payment of order {_described(payment)} before it was captured. Nothing has been"
        f" charged, and the order's pieces are withheld from sale. {_look_at(payment)}",
        state=Payment.State.CAPTURING,  # which it has left: the alert is news, and nothing is left to wait for
    )


def charged_but_to_be_voided(payment: Payment) -> None:
    """The payment must be voided, but its money was taken, for example by hand in Stripe's dashboard."""
    _raise(
        payment,
        "charged instead of voided",
        f"The payment of order {_described(payment)} must be voided, but its shopper has been charged. Refund"
        f" it in Stripe's dashboard: the order doesn't get its pieces. {_look_at(payment)}",
    )


def notice_failed(payment: Payment, *, notice: str, error: Exception) -> None:
    """The email or the alert about a payment could not be written. The payment itself is recorded."""
    order = payment.order
    alerts.raise_alert(
        source=SOURCE,
        subject=notice_subject(payment, notice=notice),
        message=f"The {notice} of order {_described(payment)} can't be written: {error}. The payment itself is"
        f" recorded. It is tried again every minute; if this stays open, report it with the workers' log.",
        details={"notice": notice, "drop": order.hold.drop.slug},
    )


def notice_written(payment: Payment, *, notice: str) -> None:
    """Resolve the alert that the notice could not be written."""
    alerts.resolve(subject=notice_subject(payment, notice=notice))


def notice_subject(payment: Payment, *, notice: str) -> str:
    return f"order:{payment.order.number} {notice} not written"


def still_processing(payment: Payment) -> None:
    """The bank has not answered for more than ten minutes. The units stay reserved until it does."""
    _raise(
        payment,
        "still processing",
        f"The bank has been processing the payment of order {_described(payment)} for more than 10 minutes."
        f" The order's pieces stay reserved until it answers. {_look_at(payment)}",
    )


def watch_authorisations() -> int:
    """Alert about authorised payments that are not captured yet and end soon; return how many there are."""
    waiting = Payment.objects.filter(
        state__in=[Payment.State.AUTHORISED, Payment.State.CAPTURING],
        decision=Payment.Decision.CAPTURE,
        capture_before__lt=Now() + ENDS_SOON,
    )
    found = list(waiting.select_related("order__hold__drop"))
    for payment in found:
        ends_at = payment.capture_before or timezone.now()
        _raise(
            payment,
            "authorisation ends",
            f"The payment of order {_described(payment)} is authorised until {ends_at:%d %B, %H:%M} UTC and not"
            f" captured yet. After that the money can't be taken any more. {_look_at(payment)}",
        )
    return len(found)


def refund_refused(payment: Payment, *, refund: Refund, refused: gateway.StripeRefused) -> None:
    """Stripe refuses a refund of ours. It is tried again until it works or somebody ends it."""
    alerts.raise_alert(
        source=SOURCE,
        subject=refund_subject(payment, refund),
        message=f"Stripe refuses to refund {_sum_of(refund)} of order {_described(payment)}: “{refused.reason}”"
        f" Nothing was refunded, and the shop tries again every minute. {_look_at(payment)}",
        details={"drop": payment.order.hold.drop.slug},
    )


def refund_needs_somebody(payment: Payment, *, refund: Refund) -> None:
    """A refund failed, was canceled, or waits for something that only its shopper can do."""
    advice = {
        Refund.State.FAILED: "The bank sent it back. Ask the customer for another way, and refund again.",
        Refund.State.CANCELED: "It was canceled at Stripe. Refund again, if it is still due.",
        Refund.State.REQUIRES_ACTION: "Stripe has written to the customer, who must say where to send it.",
    }
    reason = f" ({refund.failure_reason})" if refund.failure_reason else ""
    alerts.raise_alert(
        source=SOURCE,
        subject=refund_subject(payment, refund),
        message=f"The refund of {_sum_of(refund)} for order {_described(payment)} is"
        f" {refund.state}{reason}. {advice[Refund.State(refund.state)]}",
        details={"drop": payment.order.hold.drop.slug},
    )


def refunded_elsewhere(payment: Payment, *, refund: Refund) -> None:
    """Somebody refunded in Stripe's dashboard, and nobody has said what becomes of the pieces."""
    alerts.raise_alert(
        source=SOURCE,
        subject=elsewhere_subject(payment),
        message=f"{_sum_of(refund)} of order {_described(payment)} was refunded in Stripe's dashboard. Say on the"
        " order's page in the admin what becomes of its pieces.",
        details={"drop": payment.order.hold.drop.slug},
    )


def units_decided(payment: Payment) -> None:
    """Resolve the alert that nobody has said what becomes of the pieces."""
    alerts.resolve(subject=elsewhere_subject(payment))


def elsewhere_subject(payment: Payment) -> str:
    return f"order:{payment.order.number} refunded at Stripe"


def refund_moved_on(refund: Refund) -> None:
    """Resolve the alert that Stripe refused the refund."""
    alerts.resolve(subject=refund_subject(refund.payment, refund))


def refund_subject(payment: Payment, refund: Refund) -> str:
    return f"order:{payment.order.number} refund {refund.pk}"


def _sum_of(refund: Refund) -> str:
    return money.format_amount(amount=refund.amount, currency=refund.currency)


def resolve_finished() -> int:
    """Resolve the alerts of payments that have left the state of their fault; return how many."""
    resolved = 0
    for alert in Alert.objects.open().filter(source=SOURCE, details__has_key="order"):
        payment = Payment.objects.filter(order__number=alert.details["order"]).first()
        if payment is None or payment.state != alert.details["state"]:
            resolved += alerts.resolve(subject=alert.subject)
    return resolved


def _raise(payment: Payment, fault: str, message: str, *, state: str = "") -> None:
    """Raise an alert that ends once the payment has left `state`, by default the one that it is in."""
    order = payment.order
    details = {"order": order.number, "state": str(state or payment.state), "drop": order.hold.drop.slug}
    alerts.raise_alert(
        source=SOURCE, subject=f"order:{order.number} {fault}", message=message, details=details
    )


def _described(payment: Payment) -> str:
    """Return the order's number and amount: "7KQ2-9XMD (€100.90)"."""
    return f"{payment.order.number} ({money.format_amount(amount=payment.amount, currency=payment.currency)})"


def _look_at(payment: Payment) -> str:
    subject = payment.intent_id or "the log of requests"
    return f"Look at {subject} in Stripe's dashboard."
