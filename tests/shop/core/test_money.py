"""Amounts: integers in the smallest unit, and their text."""

from decimal import Decimal

import pytest
from django.template import engines

from shop.core import money


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (9600, "EUR", "€96"),
        (9650, "eur", "€96.50"),
        (5, "EUR", "€0.05"),
        (0, "EUR", "€0"),
        (123456700, "USD", "$1,234,567"),
        (14000, "JPY", "¥14,000"),
        (1500, "KWD", "KWD\N{NO-BREAK SPACE}1.500"),
        (1000, "KWD", "KWD\N{NO-BREAK SPACE}1"),
        (109950, "SEK", "SEK\N{NO-BREAK SPACE}1,099.50"),
        (12000, "CHF", "CHF\N{NO-BREAK SPACE}120"),
        (-500, "EUR", "−€5"),
    ],
)
def test_format_amount_writes_as_people_read(amount: int, currency: str, text: str) -> None:
    assert money.format_amount(amount=amount, currency=currency) == text


@pytest.mark.parametrize(
    ("amount", "currency", "value"), [(9600, "EUR", "96.00"), (14000, "JPY", "14000"), (1500, "KWD", "1.500")]
)
def test_to_decimal_keeps_all_decimal_places(amount: int, currency: str, value: str) -> None:
    assert str(money.to_decimal(amount=amount, currency=currency)) == value


def test_an_unlisted_currency_has_two_decimal_places() -> None:
    assert money.exponent(currency="XTS") == 2
    assert money.to_decimal(amount=1, currency="XTS") == Decimal("0.01")


def test_template_filter_formats_an_amount() -> None:
    template = engines["django"].from_string("{% load money %}{{ amount|money:currency }}")

    assert template.render({"amount": 9650, "currency": "EUR"}) == "€96.50"
