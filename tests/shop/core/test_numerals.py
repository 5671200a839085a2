"""Numbers as people type them have one reading, or are refused with both."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from shop.core import money, numerals, prices

THREE_DECIMALS = "KWD"


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        # one separator before three digits, in a currency without decimals
        ("1,000", "JPY", 1_000),
        ("1.000", "JPY", 1_000),
        ("70,000", "JPY", 70_000),
        ("70.000", "KRW", 70_000),
        ("¥70,000", "JPY", 70_000),
        ("￥70,000", "JPY", 70_000),
        ("￥７０，０００", "JPY", 70_000),
        ("＄96.50", "USD", 9_650),
        ("￡96", "GBP", 9_600),
        ("\u202a70,000\u202c", "JPY", 70_000),
        ("\u200e€1.000,50", "EUR", 100_050),
        ("999.999", "JPY", 999_999),
        # both separators, or one repeated
        ("1.000,50", "EUR", 100_050),
        ("1,000.50", "EUR", 100_050),
        ("1.000,5", "EUR", 100_050),
        ("1,000.00", "EUR", 100_000),
        ("1.000.000", "JPY", 1_000_000),
        ("1,000,000", "JPY", 1_000_000),
        ("900,000,00", "EUR", None),
        ("100,000.00", "EUR", 10_000_000),
        ("1,00,000", "INR", 10_000_000),
        ("1.000,500", "KWD", 1_000_500),
        # one reading, since no group of thousands begins with 0 or has four digits before it
        ("0.500", "KWD", 500),
        ("0.500", "EUR", 50),
        ("1000.500", "KWD", 1_000_500),
        ("1.2550", "KWD", 1_255),
        ("1.25", "KWD", 1_250),
        # other ways of writing them, as before
        ("96", "EUR", 9_600),
        ("96,50", "EUR", 9_650),
        ("1 000", "EUR", 100_000),
        ("1\N{NO-BREAK SPACE}000,50", "EUR", 100_050),
        ("1\N{NARROW NO-BREAK SPACE}000,50", "EUR", 100_050),
        ("1'000.50", "CHF", 100_050),
        ("1’000.50", "CHF", 100_050),
        ("９６", "EUR", 9_600),
        ("１，０００", "JPY", 1_000),
        ("٩٦", "EUR", 9_600),
        ("€1.000,50", "EUR", 100_050),
        ("1.000,50 EUR", "EUR", 100_050),
        ("999,999.99", "EUR", 99_999_999),
    ],
)
def test_price_has_one_reading(text: str, currency: str, amount: int | None) -> None:
    if amount is None:
        with pytest.raises(ValidationError):
            prices.parse_price(text, currency=currency)
    else:
        assert prices.parse_price(text, currency=currency) == amount


@pytest.mark.parametrize(
    ("text", "currency", "sentence"),
    [
        ("1.000", "EUR", "“1.000” can mean €1,000 or €1. Enter 1000 or 1.00."),
        ("1,000", "EUR", "“1,000” can mean €1,000 or €1. Enter 1000 or 1.00."),
        ("70,000", "USD", "“70,000” can mean $70,000 or $70. Enter 70000 or 70.00."),
        ("€1.250", "EUR", "“€1.250” can mean €1,250 or €1.25. Enter 1250 or 1.25."),
        (
            "96.505",
            "EUR",
            "“96.505” can mean €96,505 or €96.505. Enter 96505, or a number with 2 decimal places.",
        ),
        ("1.250", "KWD", "“1.250” can mean KWD\xa01,250 or KWD\xa01.25. Enter 1250 or 1.25."),
        ("1.255", "KWD", "“1.255” can mean KWD\xa01,255 or KWD\xa01.255. Enter 1255 or 1.2550."),
        ("1,0,0", "EUR", "Enter the price as a number, such as 96 or 96.50."),
        ("1.000,50.20", "EUR", "Enter the price as a number, such as 96 or 96.50."),
        ("1,00.50", "EUR", "Enter the price as a number, such as 96 or 96.50."),
        ("1000,000,000", "EUR", "Enter the price as a number, such as 96 or 96.50."),
        (".", "EUR", "Enter the price as a number, such as 96 or 96.50."),
        ("--3", "EUR", "Enter the price as a number, such as 96 or 96.50."),
        ("1.50", "JPY", "JPY has 0 decimal places. Enter the price with no more."),
        ("1,000,000.00", "EUR", "The highest amount that Stripe charges is €999,999.99. Lower the price."),
        ("9" * 41, "EUR", "Enter the price as a number, such as 96 or 96.50."),
        ("9" * 5_000, "EUR", "Enter the price as a number, such as 96 or 96.50."),
        ("¥1,000", "EUR", "The drop sells in EUR, but this price is in “¥”. Enter it in EUR."),
    ],
)
def test_price_is_refused_with_what_to_enter(text: str, currency: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        prices.parse_price(text, currency=currency)

    assert refusal.value.messages == [sentence]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1.000", 1_000),
        ("1,000", 1_000),
        ("1 000", 1_000),
        ("1'000", 1_000),
        ("20.000", 20_000),
        ("1.000.000", 1_000_000),
        ("1,000,000", 1_000_000),
        ("１０００", 1_000),
        (" 500 ", 500),
        ("500.0", 500),
        ("1.000,0", 1_000),
        ("0", 0),
        ("-1", -1),
        ("1.5", None),
        ("0.500", None),
        ("1,00", 1),
        ("12,34", None),
        ("1e3", None),
        ("½", None),
        ("10²", None),
        ("five", None),
        ("1_000", None),
        ("\0", None),
        ("9" * 4_400, None),
    ],
)
def test_whole_number_has_one_reading(text: str, number: int | None) -> None:
    field = numerals.WholeNumberField()
    if number is None:
        with pytest.raises(ValidationError) as refusal:
            field.clean(text)
        assert refusal.value.messages == ["Enter a whole number, such as 1000."]
    else:
        assert field.clean(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12.5", "12.5"),
        ("12,5", "12.5"),
        ("0.085", "0.085"),
        ("1.000,50", "1000.50"),
        ("1.250", None),
        ("x", None),
    ],
)
def test_decimal_number_has_one_reading(text: str, number: str | None) -> None:
    field = numerals.DecimalNumberField(max_digits=12, decimal_places=4)
    if number is None:
        with pytest.raises(ValidationError):
            field.clean(text)
    else:
        assert field.clean(text) == Decimal(number)


@given(st.integers(0, prices.MAX_AMOUNT), st.sampled_from(["EUR", "JPY", "INR", "CHF", THREE_DECIMALS]))
def test_price_that_a_form_shows_is_read_as_the_same(amount: int, currency: str) -> None:
    field = prices.PriceField()
    field.currency = currency

    assert field.clean(field.prepare_value(amount)) == amount
    assert not field.has_changed(amount, field.prepare_value(amount))


@given(st.integers(0, prices.MAX_AMOUNT), st.sampled_from(["EUR", "JPY", "CHF", THREE_DECIMALS]))
def test_price_that_shoppers_see_is_never_read_as_another(amount: int, currency: str) -> None:
    shown = money.format_amount(amount=amount, currency=currency)
    assert read_or_refusal(lambda: prices.parse_price(shown, currency=currency)) in {
        amount,
        f"“{shown}” can mean",
    }


def read_or_refusal(read: Callable[[], object]) -> object:
    """Return the number that was read, or the refusal's first half."""
    try:
        return read()
    except ValidationError as refusal:
        return refusal.messages[0].partition(" mean ")[0] + " mean"


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    for read in (
        lambda: numerals.parse_whole(text),
        lambda: numerals.parse_decimal(text, decimals=2),
        lambda: prices.parse_price(text, currency="EUR"),
    ):
        assert isinstance(read_or_refusal(read), int | Decimal | str)


def number_fields(form: Any) -> dict[str, forms.Field]:
    fields = dict(form.base_fields) | dict(getattr(form, "declared_fields", {}))
    kinds = forms.IntegerField | forms.DecimalField
    return {name: field for name, field in fields.items() if isinstance(field, kinds)}


def admin_forms() -> dict[str, Any]:
    """Every form of the admin with a number, by name."""
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_active=True)
    found = {}
    for model, page in admin.site._registry.items():
        if not page.has_add_permission(request):
            continue  # nobody fills in its form
        found[model.__name__] = page.get_form(request, change=False)
        for inline in page.get_inline_instances(request):
            found[f"{model.__name__} {inline.model.__name__}"] = inline.get_formset(request).form
    return found


def test_every_number_in_the_admin_is_read_by_this_parser() -> None:
    seen = 0
    for name, form in admin_forms().items():
        for field_name, field in number_fields(form).items():
            seen += 1
            assert isinstance(field, numerals.WholeNumberField | numerals.DecimalNumberField), (
                name,
                field_name,
            )
            assert type(field.widget).__name__ != "NumberInput", (name, field_name)
    assert seen >= 15
