"""Template tags of times and numbers."""

from datetime import timedelta

import pytest

from shop.templatetags import datetimes, numbers


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=-1), "0 s"),
        (timedelta(seconds=41), "41 s"),
        (timedelta(seconds=221.4), "3 min 41 s"),
        (timedelta(seconds=120), "2 min 0 s"),
        (timedelta(hours=2, minutes=5, seconds=9), "2 h 5 min"),
        (timedelta(days=3, hours=4, minutes=59), "3 d 4 h"),
    ],
)
def test_short_duration_has_at_most_two_units(duration: timedelta, text: str) -> None:
    assert datetimes.short_duration(duration) == text


def test_grouped_separates_thousands() -> None:
    assert [numbers.grouped(number) for number in (7, 1234, 1284417)] == ["7", "1,234", "1,284,417"]
