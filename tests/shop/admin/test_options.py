"""A variant's options as people type them."""

import pytest
from django.core.exceptions import ValidationError

from shop.admin import options


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("size=M", {"size": "M"}),
        (" size = M , colour=off white, ", {"size": "M", "colour": "off white"}),
        ('{"size": "M", "year": 2026}', {"size": "M", "year": "2026"}),
    ],
)
def test_parse_options_accepts_pairs_and_json(text: str, found: dict[str, str]) -> None:
    assert options.parse_options(text) == found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("M", "“M” isn't a valid option. Enter name=value, such as size=M."),
        ("size=", "“size=” isn't a valid option. Enter name=value, such as size=M."),
        ("size=M, size=L", "The option “size” is given twice. Keep one."),
        ('{"size": ', "This isn't valid JSON from character 9 on. Enter name=value, such as size=M."),
        ('{"size": ["M"]}', "Each option has one plain value, such as size=M."),
    ],
)
def test_parse_options_refuses_with_a_way_out(text: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        options.parse_options(text)

    assert refusal.value.messages == [sentence]


@pytest.mark.parametrize("value", [{}, {"size": "M"}, {"size": "M", "colour": "gold"}, {"note": "a, b = c"}])
def test_format_options_returns_what_parse_options_accepts(value: dict[str, str]) -> None:
    assert options.parse_options(options.format_options(value)) == value
