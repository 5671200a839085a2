"""Prices as people type them ("96", "96.50", "€96.50"), read into what the shop keeps: whole smallest units."""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from shop.core import money


def read(text: str, *, currency: str) -> int:
    """Read a price in the given currency. Raises ValidationError, also for a price in another currency."""
    signs = {code: sign.strip() for code, sign in money.SYMBOLS.items()}
    named = re.sub(r"[\d.,'\s-]", "", text).upper()
    if named and named not in {currency, signs.get(currency, currency)}:
        raise ValidationError(
            _("The drop sells in %(currency)s, this price is in “%(named)s”. Write it in %(currency)s."),
            params={"currency": currency, "named": named},
        )
    digits = re.sub(r"[^\d.,-]", "", text)
    try:
        value = Decimal(digits.replace(",", ".") if digits.count(",") == 1 and "." not in digits else digits)
        amount = value.scaleb(money.exponent(currency=currency))
    except InvalidOperation as error:
        raise ValidationError(_("Write the price as a number, such as 96 or 96.50.")) from error
    if amount != int(amount):
        raise ValidationError(
            _("%(currency)s has %(decimals)s decimals. Write the price with no more."),
            params={"currency": currency, "decimals": money.exponent(currency=currency)},
        )
    return int(amount)


class PriceField(forms.CharField):
    """A price as text, a number of smallest units as value. The form sets `currency`."""

    currency = "EUR"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.TextInput(attrs={"size": 10, "inputmode": "decimal"}), **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return str(money.decimal(amount=value, currency=self.currency)) if isinstance(value, int) else value

    def clean(self, value: Any) -> int:
        return read(super().clean(value), currency=self.currency)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data) != initial)
        except ValidationError:
            return bool(data)
