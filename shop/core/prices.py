"""Prices as people type them ("96", "96.50", "€96.50"), parsed into integers of the smallest unit."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from shop.core import money


def parse_price(text: str, *, currency: str) -> int:
    """Return a price in the currency's smallest unit. Raises ValidationError, also for another currency."""
    symbol = money.SYMBOLS.get(currency, currency).strip()
    named = re.sub(r"[\d.,'\s-]", "", text).upper()
    if named and named not in {currency, symbol}:
        raise ValidationError(
            f"The drop sells in {currency}, but this price is in “{named}”. Enter it in {currency}."
        )
    digits = re.sub(r"[^\d.,-]", "", text)
    if digits.count(",") == 1 and "." not in digits:
        digits = digits.replace(",", ".")  # a decimal comma
    decimals = money.exponent(currency=currency)
    try:
        amount = Decimal(digits).scaleb(decimals)
    except InvalidOperation as error:
        raise ValidationError("Enter the price as a number, such as 96 or 96.50.") from error
    if amount != int(amount):
        raise ValidationError(f"{currency} has {decimals} decimal places. Enter the price with no more.")
    return int(amount)


class PriceField(forms.CharField):
    """A price as text whose value is a number of smallest units. The form sets `currency`."""

    currency = "EUR"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.TextInput(attrs={"size": 10, "inputmode": "decimal"}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, int):
            return str(money.to_decimal(amount=value, currency=self.currency))
        return value

    def clean(self, value: Any) -> int:
        return parse_price(super().clean(value), currency=self.currency)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial)
        except ValidationError:
            return bool(data)
