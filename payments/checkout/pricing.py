"""What a hold costs, sent to a country. What is shown is this, and what is charged is what was shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

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


def quote(*, lines: Sequence[LineItem], currency: str, country: str) -> Quote:
    """Price a hold's lines as they were copied when it was placed. Raises KeyError for an unknown country."""
    subtotal = sum(line.sum for line in lines)
    sending = shipping.rate(country=country)
    return Quote(
        subtotal=subtotal,
        shipping=sending,
        tax=tax.contained(gross=subtotal + sending, percent=settings.TAX_PERCENT),
        tax_percent=settings.TAX_PERCENT,
        total=subtotal + sending,
        currency=currency,
    )
