"""Prices as people type them ("96", "96.50", "€1,000.50"), parsed into integers of the smallest unit."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from shop.core import money, numerals

MAX_AMOUNT = 99_999_999  # in the currency's smallest unit: Stripe takes no amount of more than eight digits


def parse_price(text: str, *, currency: str) -> int:
    """Return a price in the currency's smallest unit. Raises ValidationError, also for another currency."""
    text = numerals.without_marks(text)
    symbol = money.SYMBOLS.get(currency, currency).strip()
    named = re.sub(r"[\d.,'’\s-]", "", text.translate(numerals.FULL_WIDTH)).upper()
    if named and named not in {currency, symbol}:
        raise ValidationError(
            f"The drop sells in {currency}, but this price is in “{named[:40]}”. Enter it in {currency}."
        )
    decimals = money.exponent(currency=currency)
    amount = parse_number(text, currency=currency).scaleb(decimals)
    if amount != int(amount):
        raise ValidationError(f"{currency} has {decimals} decimal places. Enter the price with no more.")
    if amount > MAX_AMOUNT:
        highest = money.format_amount(amount=MAX_AMOUNT, currency=currency)
        raise ValidationError(f"The highest amount that Stripe charges is {highest}. Lower the price.")
    return int(amount)


def parse_number(text: str, *, currency: str) -> Decimal:
    """Return the number of a price with or without its currency. Raises ValidationError."""
    number = re.sub(r"[^\d.,'’\s-]", "", text.translate(numerals.FULL_WIDTH))
    try:
        return numerals.parse(number, decimals=money.exponent(currency=currency))
    except numerals.NotANumber:
        raise ValidationError("Enter the price as a number, such as 96 or 96.50.") from None
    except numerals.AmbiguousNumber as found:
        symbol = money.SYMBOLS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
        decimals = money.exponent(currency=currency)
        raise ValidationError(numerals.ambiguity(text, found, symbol=symbol, decimals=decimals)) from None


class PriceField(forms.CharField):
    """A price as text whose value is a number of smallest units. The form sets `currency`."""

    currency = "EUR"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.TextInput(attrs={"size": 10, "inputmode": "decimal"}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, int):
            return numerals.unambiguous(money.to_decimal(amount=value, currency=self.currency))
        return value

    def clean(self, value: Any) -> int:
        return parse_price(super().clean(value), currency=self.currency)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial)
        except ValidationError:
            return bool(data)
