"""Pay: from a hold and a form to an order that a worker takes to the bank. No call to Stripe is made here.

The winning UPDATE on the hold (open → paying) decides who pays, so two clicks make one attempt.
"""

import secrets
from dataclasses import asdict, dataclass

from django.conf import settings
from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from drops import holds
from drops.models import Hold
from payments.checkout import pricing
from payments.models import Attempt, Order, Payment
from payments.orders import line_items
from shop.core.prepared import Given, Insert, Read

ORDER_OF = Read(Order.objects.select_related("payment").filter(hold=Given("hold")))
ORDER, PAYMENT, ATTEMPT = Insert(Order), Insert(Payment), Insert(Attempt)
NOT_CHARGED = _("You haven't been charged.")
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # no 0 O 1 I L: numbers are read aloud


class CheckoutRefused(Exception):
    """The order was not taken; nothing was changed and nothing was charged.

    `title` is one sentence saying what happened, `reason` says what to do next; `status` is the answer's.
    """

    title: str | Promise
    reason: str | Promise = ""
    status = 409

    def __str__(self) -> str:
        return " ".join(str(text) for text in (self.title, self.reason, NOT_CHARGED) if text)


class Lapsed(CheckoutRefused):
    title = _("Your hold ended before you paid.")
    status = 410


class TotalChanged(CheckoutRefused):
    title = _("The total has changed since this page was loaded.")
    reason = _("Please check it before you pay.")


class CountryFixed(CheckoutRefused):
    title = _("You started this order with a different country, so its total is fixed.")
    reason = _("Choose that country again.")


class BadToken(CheckoutRefused):
    title = _("Your card details couldn't be read.")
    reason = _("Please enter them again.")
    status = 422


class BadCountry(CheckoutRefused):
    title = _("We don't ship to that country.")
    reason = _("Choose one from the list.")
    status = 422


@dataclass(frozen=True)
class Address:
    """Whom to write to and where to send; checked by the form."""

    email: str
    name: str
    line1: str
    line2: str
    postcode: str
    city: str
    region: str
    country: str


def submit(*, hold: Hold, address: Address, token: str, shown_total: int) -> Order:
    """Take the order and queue one attempt to pay for it; the same order again if it is already being paid.

    Raises CheckoutRefused.
    """
    if not token.startswith("ctoken_") or len(token) > 80:
        raise BadToken
    try:
        quote = pricing.quote(lines=line_items.of(hold=hold), currency=hold.currency, country=address.country)
    except KeyError:
        raise BadCountry from None
    with transaction.atomic(durable=True):
        try:
            holds.pay(hold=hold)
        except holds.HoldOver:
            return under_way(hold=hold)
        if quote.total != shown_total:
            raise TotalChanged
        order = record(hold=hold, address=address, quote=quote)
        ATTEMPT.row(payment=order.payment, confirmation_token=token)
    return order


def under_way(*, hold: Hold) -> Order:
    """Give the order that a first click made of the hold. Raises Lapsed if there is none that may still be paid."""
    order = Order.objects.filter(hold=hold, hold__state__in=[Hold.State.PAYING, Hold.State.ALLOCATED]).first()
    if order is None:
        raise Lapsed
    return order


def record(*, hold: Hold, address: Address, quote: pricing.Quote) -> Order:
    """Write the order and its payment, or, after a decline, the corrected address on the order that is there."""
    order = ORDER_OF.first(hold=hold.pk)
    if order is None:
        return create(hold=hold, address=address, quote=quote)
    if quote.total != order.total:
        raise CountryFixed  # the intent's amount was fixed when it was made
    Order.objects.filter(pk=order.pk).update(**asdict(address))
    return order


def create(*, hold: Hold, address: Address, quote: pricing.Quote) -> Order:
    live = livemode()
    order = ORDER.row(
        number=number(),
        hold=hold,
        **asdict(address),
        currency=quote.currency,
        subtotal=quote.subtotal,
        shipping=quote.shipping,
        tax=quote.tax,
        tax_in_price=quote.tax_in_price,
        total=quote.total,
        language=get_language() or settings.LANGUAGE_CODE,
        livemode=live,
    )
    PAYMENT.row(order=order, amount=quote.total, currency=quote.currency, livemode=live)
    return order


def number() -> str:
    """Make an order number such as 7KQ2-9XMD: random, so that it tells nobody how many there are."""
    drawn = "".join(secrets.choice(ALPHABET) for _place in range(8))
    return f"{drawn[:4]}-{drawn[4:]}"


def livemode() -> bool:
    """Say whether our key moves real money."""
    return "_live_" in settings.STRIPE_SECRET_KEY
