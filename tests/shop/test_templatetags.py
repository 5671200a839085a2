"""Template tags of times and numbers."""

from datetime import UTC, datetime, timedelta

import pytest

from shop.templatetags import datetimes, numbers

MOMENT = datetime(2026, 11, 26, 17, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "text"),
    [("day", "Thursday 26 November, 18:00 CET"), ("time", "18:00 CET"), ("date", "26 November 2026")],
)
def test_when_shows_a_moment_in_the_shops_zone(form: str, text: str) -> None:
    written = datetimes.when(MOMENT, form)

    assert written == f'<time datetime="2026-11-26T17:00:00+00:00" data-when="{form}">{text}</time>'


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
