"""An order's status as its shopper reads it.

Orders have no state of their own: it is derived from hold and payment.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from drops.models import Hold
from payments.models import Attempt, Order, Payment
from shop.core import money

# Decline codes that tell a shopper what to do. The others say no more than "declined".
DECLINE_MESSAGES: dict[str, Promise] = {
    "insufficient_funds": _(
        "Your bank declined the payment: there isn't enough money on that card. You haven't been charged."
    ),
    "expired_card": _("Your bank declined the payment: that card has expired. You haven't been charged."),
    "incorrect_cvc": _(
        "Your bank declined the payment: the security code (CVC) is incorrect. You haven't been charged."
    ),
    "authentication_required": _(
        "Your bank declined the payment, because it couldn't confirm it with you. "
        "You haven't been charged; please use another card."
    ),
    Attempt.CARD_AGAIN: _(
        "Your card details couldn't be read. Please enter them again. You haven't been charged."
    ),
}
REFUSED_AT_THE_BANK = _(
    "The payment wasn't confirmed with your bank. You haven't been charged; you can try again or use another card."
)
DECLINE_MESSAGES |= {
    "payment_intent_authentication_failure": REFUSED_AT_THE_BANK,  # Stripe's code
    "authentication_failed": REFUSED_AT_THE_BANK,
}
DECLINED_MESSAGE = _("Your bank declined the payment. You haven't been charged.")
ASKING_MESSAGE = _(
    "We're waiting for your bank. Please don't pay again; this page updates by itself. You can't be charged twice."
)
ACTION_MESSAGE = _("Your bank wants you to confirm this payment. You haven't been charged yet.")
CANCELLING_MESSAGE = _(
    "This drop was cancelled while your bank was being asked. If you're charged, the shop will refund you. "
    "Please don't pay again; this page updates by itself."
)
VOIDED_MESSAGES: dict[str, Promise] = {
    Payment.VoidReason.LOST: _(
        "The last piece was sold while your bank was processing. You haven't been charged; "
        "any pending amount will disappear from your statement."
    ),
    Payment.VoidReason.LATE: _(
        "Your bank took too long, so we cancelled the payment. You haven't been charged; "
        "any pending amount will disappear from your statement."
    ),
    Payment.VoidReason.DECLINED: _(
        "Your bank declined the payment three times. You haven't been charged. Your hold has been released."
    ),
    Payment.VoidReason.ACTION: _(
        "Your bank wants to confirm this payment with you, which this shop can't do. "
        "You haven't been charged. Your hold has been released."
    ),
    Payment.VoidReason.NOT_AUTHENTICATED: _(
        "The payment wasn't confirmed with your bank within ten minutes. "
        "You haven't been charged. Your hold has been released."
    ),
    Payment.VoidReason.REQUEST: _(
        "We couldn't take your payment, because of a fault on our side. "
        "You haven't been charged. Your hold has been released."
    ),
    Payment.VoidReason.SHOP: _(
        "The shop cancelled this order. You haven't been charged; "
        "any pending amount will disappear from your statement."
    ),
    Payment.VoidReason.WITHDRAWN: _(
        "We couldn't reach your bank in time. You haven't been charged. Your hold has been released."
    ),
    Payment.VoidReason.REFUSED: _(
        "Your bank withdrew the authorisation. You haven't been charged. Your hold has been released."
    ),
    Payment.VoidReason.RELEASED: _(
        "Your hold ended before you paid. You haven't been charged. Your hold has been released."
    ),
    Payment.VoidReason.CANCELLED: _(
        "This drop was cancelled. You haven't been charged; any pending amount will disappear from your statement."
    ),
}


class StatusName(TextChoices):
    ASKING = "asking"  # the bank is being asked, or will be
    ACTION = "action"  # the shopper must confirm the payment at the bank (3-D Secure)
    DECLINED = "declined"  # the hold is open again, for another attempt
    PLACED = "placed"  # final: paid
    OVER = "over"  # final: not paid, and never will be
    CANCELLING = "cancelling"  # the drop is cancelled; what becomes of the payment isn't known yet
    REFUND_DUE = "refund due"  # final: paid, and the drop is cancelled


UNPAID = (StatusName.DECLINED, StatusName.OVER)
FINAL_STATUSES = (StatusName.PLACED, StatusName.OVER, StatusName.REFUND_DUE)


# What the state of the payment alone says.
BY_PAYMENT: dict[str, tuple[StatusName, Promise]] = {
    Payment.State.CAPTURED: (StatusName.PLACED, _("Paid. It's yours.")),
    Payment.State.ACTION: (StatusName.ACTION, ACTION_MESSAGE),
}


@dataclass(frozen=True)
class OrderStatus:
    """The status and a sentence about it. `hold_ends` is set only while another attempt is possible."""

    name: StatusName
    message: str
    hold_ends: datetime | None = None

    @property
    def final(self) -> bool:
        return self.name in FINAL_STATUSES


def derive(*, order: Order) -> OrderStatus:
    """Return the order's status. It is never over before Stripe has said so."""
    payment, hold = order.payment, order.hold
    if hold.cancelled and payment.state != Payment.State.VOIDED:
        return derive_cancelled(order=order)
    if payment.state in BY_PAYMENT:
        name, message = BY_PAYMENT[payment.state]
        return OrderStatus(name, str(message))
    if payment.state == Payment.State.VOIDED:
        reason = payment.void_reason or Payment.VoidReason.RELEASED
        return OrderStatus(StatusName.OVER, str(VOIDED_MESSAGES[reason]))
    if hold.state == Hold.State.OPEN and payment.declines:
        message = DECLINE_MESSAGES.get(last_decline_code(payment), DECLINED_MESSAGE)
        return OrderStatus(StatusName.DECLINED, str(message), hold_ends=hold.expires_at)
    if hold.state == Hold.State.RELEASED:
        return OrderStatus(StatusName.OVER, str(VOIDED_MESSAGES[Payment.VoidReason.RELEASED]))
    return OrderStatus(StatusName.ASKING, str(ASKING_MESSAGE))


def derive_cancelled(*, order: Order) -> OrderStatus:
    """Return the status of an order whose drop is cancelled, unless it is known that nothing was charged."""
    payment, hold = order.payment, order.hold
    if payment.state == Payment.State.CAPTURED:
        total = money.format_amount(amount=payment.amount, currency=payment.currency)
        message = _("This drop was cancelled. You've been charged %(total)s, and the shop will refund you.")
        return OrderStatus(StatusName.REFUND_DUE, message % {"total": total})
    if hold.state in {Hold.State.OPEN, Hold.State.RELEASED}:
        reason = Payment.VoidReason.RELEASED
        if hold.state == Hold.State.OPEN or hold.is_over_by_cancellation:
            reason = Payment.VoidReason.CANCELLED
        return OrderStatus(StatusName.OVER, str(VOIDED_MESSAGES[reason]))
    return OrderStatus(StatusName.CANCELLING, str(CANCELLING_MESSAGE))


def last_decline_code(payment: Payment) -> str:
    attempts = payment.attempts.filter(state=Attempt.State.DECLINED)
    return attempts.order_by("-ended_at").values_list("decline_code", flat=True).first() or ""
