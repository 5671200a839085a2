"""Axes of a variant as people type them."""

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
def test_read_takes_pairs_and_json(text, found):
    assert options.read(text) == found


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("M", "“M” is no axis. Write name=value, such as size=M."),
        ("size=", "“size=” is no axis. Write name=value, such as size=M."),
        ("size=M, size=L", "The axis “size” is there twice. Keep one."),
        ('{"size": ', "This is no valid JSON, from character 9 on. Write name=value, such as size=M."),
        ('{"size": ["M"]}', "Each axis has one plain value, such as size=M."),
    ],
)
def test_read_refuses_with_the_mend(text, sentence):
    with pytest.raises(ValidationError) as refusal:
        options.read(text)

    assert refusal.value.messages == [sentence]


@pytest.mark.parametrize("value", [{}, {"size": "M"}, {"size": "M", "colour": "gold"}, {"note": "a, b = c"}])
def test_write_gives_what_read_takes(value):
    assert options.read(options.write(value)) == value
