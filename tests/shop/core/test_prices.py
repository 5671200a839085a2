"""Prices as people type them."""

import pytest
from django.core.exceptions import ValidationError

from shop.core import prices


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("96", "EUR", 9600),
        ("96.50", "EUR", 9650),
        ("96,50", "EUR", 9650),
        ("€96.5", "EUR", 9650),
        ("96 eur", "EUR", 9600),
        ("14000", "JPY", 14000),
        ("¥14000", "JPY", 14000),
        ("1.250", "KWD", 1250),
        ("0", "EUR", 0),
        ("-3", "EUR", -300),
    ],
)
def test_read_gives_the_smallest_unit(text, currency, amount):
    assert prices.read(text, currency=currency) == amount


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("$96", "The drop sells in EUR, this price is in “$”. Write it in EUR."),
        ("96 USD", "The drop sells in EUR, this price is in “USD”. Write it in EUR."),
        ("", "Write the price as a number, such as 96 or 96.50."),
        ("9-6", "Write the price as a number, such as 96 or 96.50."),
        ("1,200.50", "Write the price as a number, such as 96 or 96.50."),
        ("96.505", "EUR has 2 decimals. Write the price with no more."),
    ],
)
def test_read_refuses_with_the_mend(text, sentence):
    with pytest.raises(ValidationError) as refusal:
        prices.read(text, currency="EUR")

    assert refusal.value.messages == [sentence]
