"""Where an order stands, as its shopper is told. An order has no state of its own: it is read from hold and payment."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from drops.models import Hold
from payments.models import Attempt, Order, Payment

DECLINED_AS = {  # decline codes that tell a shopper what to do; the others say no more than "no"
    "insufficient_funds": _("Your bank said no: not enough money on that card."),
    "expired_card": _("Your bank said no: that card has expired."),
    "incorrect_cvc": _("Your bank said no: the security code is another one."),
    "authentication_required": _("Your bank asked for another step, which this shop can't take."),
    Attempt.CARD_AGAIN: _("The card form's answer could not be used. Fill in the card again."),
}
NO = _("Your bank said no.")
VOIDED_AS = {
    "lost": _("The last one went while your bank was thinking. The authorisation is cancelled. Nothing was charged."),
    "late": _("Your bank took too long. The authorisation is cancelled. Nothing was charged."),
    "declined": _("Your bank said no three times. Nothing was charged. The unit went back."),
    "action": _(
        "Your bank asked for another step, which this shop can't take. Nothing was charged. The unit went back."
    ),
    "withdrawn": _("We could not ask your bank in time. Nothing was charged. The unit went back."),
    "refused": _("Your bank took its word back. Nothing was charged. The unit went back."),
    "released": _("Your hold ended before you paid. Nothing was charged. The unit went back."),
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
        return OrderStatus(Name.PLACED, str(_("It is yours.")))
    if payment.state == Payment.State.VOIDED:
        return OrderStatus(Name.OVER, str(VOIDED_AS.get(payment.void_reason, VOIDED_AS["released"])))
    if hold.state == Hold.State.OPEN and payment.declines:
        said = DECLINED_AS.get(last_code(payment), NO)
        nothing = _("Nothing was charged.")
        return OrderStatus(Name.DECLINED, f"{said} {nothing}", hold_ends=hold.expires_at)
    if hold.state == Hold.State.RELEASED:
        return OrderStatus(Name.OVER, str(VOIDED_AS["released"]))
    return OrderStatus(Name.ASKING, str(_("Your bank is thinking. Don't pay again; this page will say.")))


def last_code(payment: Payment) -> str:
    attempts = payment.attempts.filter(state=Attempt.State.DECLINED)
    return attempts.order_by("-ended_at").values_list("decline_code", flat=True).first() or ""
