"""Submitting the checkout form: from a hold and an address to an order, with an attempt queued for a worker.

Stripe isn't called here. The winning UPDATE on the hold (open → paying) decides who pays, so two clicks
make one attempt.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import get_language

from drops import holds
from drops.models import Drop, Hold
from payments.checkout import pricing
from payments.checkout.refusals import (
    CardUnreadable,
    ChoiceFixed,
    CountryFixed,
    HoldLapsed,
    HoldOfCancelledDrop,
    TotalChanged,
    UnitsChanged,
)
from payments.models import Attempt, Order, Payment
from payments.orders import line_items, queries
from payments.orders.line_items import LineItem

MAX_TOKEN_CHARACTERS = 80
MAX_DRAWS = 10  # of an order number, of 850 thousand million
NUMBER_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"  # no 0 O 1 I L: order numbers are read aloud


@dataclass(frozen=True)
class Address:
    """The email address to write to and the postal address to ship to; checked by the form."""

    email: str
    name: str
    line1: str
    line2: str
    postcode: str
    city: str
    region: str
    country: str


def submit_order(
    *,
    hold: Hold,
    items: list[LineItem],
    address: Address,
    confirmation_token: str,
    shown_total: int,
    shown_version: int,
) -> Order:
    """Take the order and queue one attempt to pay for it; if it is being paid for already, return that order.

    Raises CheckoutRefused.
    """
    if not confirmation_token.startswith("ctoken_") or len(confirmation_token) > MAX_TOKEN_CHARACTERS:
        raise CardUnreadable
    quote = pricing.quote(items=items, currency=hold.currency, country=address.country)
    with transaction.atomic(durable=True):
        try:
            holds.pay(hold=hold, version=shown_version)
        except holds.HoldOver:
            return order_under_way(hold=hold)
        except holds.HoldChanged:
            raise UnitsChanged from None
        if hold.version != shown_version:
            raise UnitsChanged  # `items` were read before the change that the page has seen
        if quote.total != shown_total:
            raise TotalChanged
        order = save_order(hold=hold, items=items, address=address, quote=quote)
        Attempt.objects.create(payment=order.payment, confirmation_token=confirmation_token)
    return order


def change_units(*, hold: Hold, quantities: Mapping[int, int]) -> None:
    """Swap the units of an open hold.

    Raises HoldRefused, or ChoiceFixed if an order exists, whose total can't change; the hold stays as it was.
    """
    with transaction.atomic(durable=True):
        holds.change(hold=hold, quantities=quantities)
        # From here on the hold's row is locked, so that no order can be made of it before we commit.
        if Order.objects.filter(hold=hold).exists():
            raise ChoiceFixed


def order_under_way(*, hold: Hold) -> Order:
    """Return the order that an earlier click made of the hold. Raises CheckoutRefused if there is none."""
    order = Order.objects.filter(hold=hold, hold__state__in=[Hold.State.PAYING, Hold.State.ALLOCATED]).first()
    if order is not None:
        return order
    if Drop.objects.cancelled().filter(pk=hold.drop_id).exists():
        raise HoldOfCancelledDrop
    raise HoldLapsed


def save_order(*, hold: Hold, items: list[LineItem], address: Address, quote: pricing.Quote) -> Order:
    """Create the order and its payment; after a decline, update the address of the order that exists."""
    order = queries.order_of(hold=hold)
    if order is None:
        return create_order(hold=hold, items=items, address=address, quote=quote)
    if quote.total != order.total:
        raise CountryFixed  # the PaymentIntent's amount was fixed when it was created
    Order.objects.filter(pk=order.pk).update(**asdict(address))
    Payment.objects.filter(order=order).update(outcome_seen_at=None)  # what comes next is yet to be seen
    return order


def create_order(*, hold: Hold, items: list[LineItem], address: Address, quote: pricing.Quote) -> Order:
    """Create the order, with a copy of what is bought, and its payment."""
    livemode = is_livemode()
    order = Order(
        hold=hold,
        **asdict(address),
        currency=quote.currency,
        subtotal=quote.subtotal,
        shipping=quote.shipping,
        shipping_tax=quote.shipping_tax,
        shipping_tax_percent=quote.tax_percent,
        tax=quote.tax,
        tax_in_price=quote.tax_in_price,
        total=quote.total,
        language=get_language() or settings.LANGUAGE_CODE,
        livemode=livemode,
    )
    save_with_number(order)
    line_items.copy(order=order, items=items, taxes=quote.line_taxes, tax_percent=quote.tax_percent)
    Payment.objects.create(order=order, amount=quote.total, currency=quote.currency, livemode=livemode)
    return order


def save_with_number(order: Order) -> None:
    """Insert the order under a number that no other order has."""
    for draws_left in reversed(range(MAX_DRAWS)):
        order.number = draw_order_number()
        try:
            with transaction.atomic():
                order.save(force_insert=True)
        except IntegrityError:
            is_taken = Order.objects.filter(number=order.number).exists()
            if not is_taken or not draws_left:
                raise
        else:
            return


def draw_order_number() -> str:
    """Return an order number such as 7KQ2-9XMD: random, so that it doesn't tell how many orders there are."""
    drawn = "".join(secrets.choice(NUMBER_ALPHABET) for _place in range(8))
    return f"{drawn[:4]}-{drawn[4:]}"


def is_livemode() -> bool:
    """Whether our Stripe key moves real money."""
    return "_live_" in settings.STRIPE_SECRET_KEY
