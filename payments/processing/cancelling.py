"""Cancelling an order before its payment is decided: it is voided, whatever the bank says later.

Afterwards it is captured, and refunded like any other.
"""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Case, F, When
from django.db.models.functions import Now

from drops import holds
from payments.models import Order, Payment
from shop.core import audit_log

UNDECIDED = (
    Payment.State.NEW,
    Payment.State.CREATED,
    Payment.State.CONFIRMING,
    Payment.State.ACTION,
)


class CancelRefused(Exception):
    """The order can't be cancelled; the text says why. Nothing was changed."""


def cancel(*, order: Order, by: AbstractBaseUser | None) -> None:
    """Decide that the order's payment is voided. Workers and sweeps do the rest. Raises CancelRefused.

    An attempt that wasn't sent is withdrawn; one at the bank is voided once the bank has answered.
    """
    with transaction.atomic():
        # One UPDATE decides between this and the transaction that allocates the units.
        undecided = Payment.objects.filter(order=order, decision="", state__in=UNDECIDED)
        updated = undecided.update(
            decision=Payment.Decision.VOID,
            void_reason=Payment.VoidReason.SHOP,
            # Whoever is at the bank needn't confirm anything any more.
            action_ends_at=Case(When(state=Payment.State.ACTION, then=Now()), default=F("action_ends_at")),
        )
        if not updated:
            raise CancelRefused(why_not(order))
        holds.release_open(hold=order.hold)
        audit_log.write(actor=by, about=f"order:{order.number}", action="order cancelled")


def why_not(order: Order) -> str:
    payment = Payment.objects.get(order=order)
    if payment.decision == Payment.Decision.CAPTURE:
        return "The bank has authorised this payment, so it is captured. Refund it instead."
    return "This order is cancelled already, or its payment has ended: nothing is charged."
