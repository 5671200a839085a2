"""Where an order stands, as its shopper is told. An order has no state of its own: it is read from hold and payment."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from drops.models import Hold
from payments.models import Attempt, Order, Payment

DECLINED_AS = {  # decline codes that tell a shopper what to do; the others say no more than "declined"
    "insufficient_funds": _(
        "Your bank declined the payment: there isn't enough money on that card. You haven't been charged."
    ),
    "expired_card": _("Your bank declined the payment: that card has expired. You haven't been charged."),
    "incorrect_cvc": _(
        "Your bank declined the payment: the security code (CVC) is incorrect. You haven't been charged."
    ),
    "authentication_required": _(
        "Your bank wants to confirm this payment with you, which this shop can't do. "
        "You haven't been charged; please use another card."
    ),
    Attempt.CARD_AGAIN: _("Your card details couldn't be read. Please enter them again. You haven't been charged."),
}
DECLINED = _("Your bank declined the payment. You haven't been charged.")
ASKING = _("We're waiting for your bank. Please don't pay again – this page updates by itself.")
VOIDED_AS = {
    "lost": _(
        "The last piece was sold while your bank was processing. You haven't been charged; "
        "any pending amount will disappear from your statement."
    ),
    "late": _(
        "Your bank took too long, so we cancelled the payment. You haven't been charged; "
        "any pending amount will disappear from your statement."
    ),
    "declined": _("Your bank declined the payment three times. You haven't been charged. Your hold has been released."),
    "action": _(
        "Your bank wants to confirm this payment with you, which this shop can't do. "
        "You haven't been charged. Your hold has been released."
    ),
    "withdrawn": _("We couldn't reach your bank in time. You haven't been charged. Your hold has been released."),
    "refused": _("Your bank withdrew the authorisation. You haven't been charged. Your hold has been released."),
    "released": _("Your hold ended before you paid. You haven't been charged. Your hold has been released."),
}


class Name(TextChoices):
    ASKING = "asking"  # the bank is being asked, or will be
    DECLINED = "declined"  # the hold is open again: another try
    PLACED = "placed"  # final: paid
    OVER = "over"  # final: not paid, and never will be


FINAL = (Name.PLACED, Name.OVER)


@dataclass(frozen=True)
class OrderStatus:
    """`hold_ends` only while another try is possible."""

    name: Name
    message: str
    hold_ends: datetime | None = None

    @property
    def final(self) -> bool:
        return self.name in FINAL


def read(*, order: Order) -> OrderStatus:
    """Tell where the order stands. Never says that it failed before Stripe has said so."""
    payment, hold = order.payment, order.hold
    if payment.state == Payment.State.CAPTURED:
        return OrderStatus(Name.PLACED, str(_("Paid. It's yours.")))
    if payment.state == Payment.State.VOIDED:
        return OrderStatus(Name.OVER, str(VOIDED_AS.get(payment.void_reason, VOIDED_AS["released"])))
    if hold.state == Hold.State.OPEN and payment.declines:
        message = DECLINED_AS.get(last_code(payment), DECLINED)
        return OrderStatus(Name.DECLINED, str(message), hold_ends=hold.expires_at)
    if hold.state == Hold.State.RELEASED:
        return OrderStatus(Name.OVER, str(VOIDED_AS["released"]))
    return OrderStatus(Name.ASKING, str(ASKING))


def last_code(payment: Payment) -> str:
    attempts = payment.attempts.filter(state=Attempt.State.DECLINED)
    return attempts.order_by("-ended_at").values_list("decline_code", flat=True).first() or ""
