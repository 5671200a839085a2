"""The price of a hold, shipped to a country. The page shows it, and only what was shown is charged."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from payments.checkout.refusals import CountryNotServed
from payments.orders.line_items import LineItem
from shop import shipping, tax


@dataclass(frozen=True)
class Quote:
    """Amounts in the currency's smallest unit. The tax is contained in subtotal and shipping, not added."""

    subtotal: int
    shipping: int
    tax: int
    tax_percent: Decimal
    total: int
    currency: str
    tax_in_price: bool = True


def quote(*, items: Sequence[LineItem], currency: str, country: str) -> Quote:
    """Price a hold's line items as they were copied when it was placed. Raises CountryNotServed."""
    try:
        shipping_cost = shipping.rate(country=country)
    except KeyError:
        raise CountryNotServed from None
    subtotal = sum(item.sum for item in items)
    total = subtotal + shipping_cost
    return Quote(
        subtotal=subtotal,
        shipping=shipping_cost,
        tax=tax.contained(gross=total, percent=settings.TAX_PERCENT),
        tax_percent=settings.TAX_PERCENT,
        total=total,
        currency=currency,
    )
