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
        ("1.25", "KWD", 1250),
        ("0", "EUR", 0),
        ("-3", "EUR", -300),
    ],
)
def test_parse_price_returns_the_smallest_unit(text: str, currency: str, amount: int) -> None:
    assert prices.parse_price(text, currency=currency) == amount


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("$96", "The drop sells in EUR, but this price is in “$”. Enter it in EUR."),
        ("96 USD", "The drop sells in EUR, but this price is in “USD”. Enter it in EUR."),
        ("", "Enter the price as a number, such as 96 or 96.50."),
        ("9-6", "Enter the price as a number, such as 96 or 96.50."),
        ("96.5051", "EUR has 2 decimal places. Enter the price with no more."),
    ],
)
def test_parse_price_refuses_with_a_way_out(text: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        prices.parse_price(text, currency="EUR")

    assert refusal.value.messages == [sentence]
