"""The price of a hold, shipped to a country. The page shows it, and only what was shown is charged.

Tax is calculated for each line and for shipping, each rounded half up to the currency's smallest unit; the
order's tax is their sum.
"""

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
    line_taxes: tuple[int, ...]
    shipping_tax: int
    tax: int  # their sum
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
    line_taxes = tuple(tax.contained(gross=item.sum, percent=settings.TAX_PERCENT) for item in items)
    shipping_tax = tax.contained(gross=shipping_cost, percent=settings.TAX_PERCENT)
    return Quote(
        subtotal=subtotal,
        shipping=shipping_cost,
        line_taxes=line_taxes,
        shipping_tax=shipping_tax,
        tax=sum(line_taxes) + shipping_tax,
        tax_percent=settings.TAX_PERCENT,
        total=total,
        currency=currency,
    )
