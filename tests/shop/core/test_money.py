"""Amounts: integers in the smallest unit, written for people."""

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
def test_write_an_amount_as_people_read_it(amount, currency, text):
    assert money.format_amount(amount=amount, currency=currency) == text


@pytest.mark.parametrize(
    ("amount", "currency", "value"), [(9600, "EUR", "96.00"), (14000, "JPY", "14000"), (1500, "KWD", "1.500")]
)
def test_write_an_amount_for_programs_with_all_decimals(amount, currency, value):
    assert str(money.to_decimal(amount=amount, currency=currency)) == value


def test_count_a_foreign_currency_with_two_decimals():
    assert money.exponent(currency="XTS") == 2
    assert money.to_decimal(amount=1, currency="XTS") == Decimal("0.01")


def test_write_an_amount_in_a_template():
    template = engines["django"].from_string("{% load money %}{{ amount|money:currency }}")

    assert template.render({"amount": 9650, "currency": "EUR"}) == "€96.50"
