"""Numbers as people type them: "1,000", "1.000,50", "１０００", "1'000". One reading, or a refusal.

One separator before exactly three digits ("1.000") means thousands where there are no decimals, and is
refused elsewhere, with both readings. Both separators, or one repeated, have one reading.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from unicodedata import category

from django import forms
from django.core.exceptions import ValidationError
from django.db import models

MAX_CHARACTERS = 40
# Between digits, these mean nothing: people group digits by them.
IGNORED = re.compile(r"[\s'’]")
FULL_WIDTH = {0xFEE0 + code: code for code in (*range(ord("0"), ord("9") + 1), *map(ord, ",.-'$"))}
FULL_WIDTH |= {ord("￥"): "¥", ord("￡"): "£", ord("￦"): "₩"}
NUMBER = re.compile(r"(-?)([0-9.,]*[0-9][0-9.,]*)")
SEPARATORS = ",."
# Groups of three, or of two as in India: 1,00,000.
GROUPED = re.compile(r"[0-9]{1,3}(?:[,.][0-9]{2,3})*[,.][0-9]{3}")


class NotANumber(ValueError):
    """The text isn't a number in any way of writing one."""


@dataclass
class AmbiguousNumber(ValueError):
    """The text can be read in two ways: "1.000" as `whole` = 1000 and as `fraction` = 1.000."""

    whole: Decimal
    fraction: Decimal


def parse(text: str, *, decimals: int | None) -> Decimal:
    """Return the number, which may have that many decimals (None: any). More of them are returned, too.

    Raises NotANumber, AmbiguousNumber.
    """
    if len(text) > MAX_CHARACTERS:
        raise NotANumber
    found = NUMBER.fullmatch(plain(text))
    if found is None:
        raise NotANumber
    sign, digits = found.groups()
    return Decimal(sign + with_decimal_point(digits, decimals=decimals))


def without_marks(text: str) -> str:
    """Return the text without the invisible marks that spreadsheets and web pages put around numbers."""
    return "".join(letter for letter in text if category(letter) != "Cf")


def plain(text: str) -> str:
    """Return the text with ASCII digits, without spaces, apostrophes and invisible marks."""
    ascii_digits = (
        str(int(letter)) if letter.isdecimal() else letter
        for letter in without_marks(text).translate(FULL_WIDTH)
    )
    return IGNORED.sub("", "".join(ascii_digits))


def with_decimal_point(digits: str, *, decimals: int | None) -> str:
    """Return digits and separators as Decimal reads them. Raises NotANumber, AmbiguousNumber."""
    marks = [mark for mark in digits if mark in SEPARATORS]
    if not marks:
        return digits
    if len(set(marks)) == 2:
        whole, _mark, fraction = digits.rpartition(marks[-1])
        if marks[-1] in whole:
            raise NotANumber  # such as 1,000.50,20
        return f"{without_groups(whole)}.{fraction}"
    if len(marks) > 1:
        return without_groups(digits)
    whole, _mark, fraction = digits.partition(marks[0])
    may_be_thousands = re.fullmatch("[1-9][0-9]{0,2}", whole) and len(fraction) == 3
    if not may_be_thousands:
        return f"{whole}.{fraction}"
    if decimals == 0:
        return whole + fraction
    raise AmbiguousNumber(whole=Decimal(whole + fraction), fraction=Decimal(f"{whole}.{fraction}"))


def without_groups(digits: str) -> str:
    """Return "1.000.000" as "1000000". Raises NotANumber if its groups aren't groups of thousands."""
    if not GROUPED.fullmatch(digits):
        raise NotANumber
    return re.sub("[,.]", "", digits)


def parse_whole(text: str) -> int:
    """Return a whole number. Raises ValidationError."""
    try:
        number = parse(text, decimals=0)
    except NotANumber:
        number = None
    if number is None or number != int(number):
        raise ValidationError("Enter a whole number, such as 1000.", code="invalid")
    return int(number)


def parse_decimal(text: str, *, decimals: int | None) -> Decimal:
    """Return a number that may have decimals. Raises ValidationError."""
    try:
        return parse(text, decimals=decimals)
    except NotANumber:
        raise ValidationError("Enter a number, such as 12.50.", code="invalid") from None
    except AmbiguousNumber as found:
        raise ValidationError(ambiguity(text, found, decimals=decimals), code="invalid") from None


def ambiguity(text: str, found: AmbiguousNumber, *, decimals: int | None, symbol: str = "") -> str:
    """Return the sentence that names both readings, and how to type those that may have their decimals."""
    fraction = found.fraction.normalize()
    readings = f"“{text.strip()}” can mean {symbol}{found.whole:,} or {symbol}{fraction:f}."
    if decimals is not None and fraction != round(fraction, decimals):
        return f"{readings} Enter {found.whole}, or a number with {decimals} decimal places."
    return f"{readings} Enter {found.whole} or {unambiguous(found.fraction)}."


def unambiguous(number: Decimal) -> str:
    """Return the number so that it has one reading: 1.250 as "1.25", 1.255 as "1.2550", 96.50 as "96.50"."""
    text = f"{number:f}"
    if len(text.partition(".")[2]) != 3:
        return text
    if text.endswith("0"):
        return text[:-1]
    return f"{text}0"


class WholeNumberField(forms.IntegerField):
    """A whole number as text. A browser's number field would read "1.000" as 1 before we see it."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        if isinstance(value, str):
            value = parse_whole(value)
        return int(value)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "inputmode": "numeric", "size": 10}


class DecimalNumberField(forms.DecimalField):
    """A number with decimals as text."""

    widget = forms.TextInput

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.strip():
            value = parse_decimal(value, decimals=self.decimal_places)
        return super().to_python(value)

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "inputmode": "decimal", "size": 10}


# For the admin's forms: the fields that it makes for columns of numbers.
FORM_FIELDS: dict[Any, dict[str, Any]] = {
    models.IntegerField: {"form_class": WholeNumberField, "widget": forms.TextInput},
    models.BigIntegerField: {"form_class": WholeNumberField, "widget": forms.TextInput},
    models.DecimalField: {"form_class": DecimalNumberField, "widget": forms.TextInput},
}
