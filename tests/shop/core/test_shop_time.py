"""Times as shoppers read them in the shop's zone."""

from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from shop.core import shop_time
from shop.templatetags import datetimes

MOMENT = datetime(2026, 11, 26, 17, 0, 5, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("form", "text"), [("day", "Thursday 26 November, 18:00 CET"), ("time", "18:00 CET")]
)
def test_when_carries_what_a_script_needs(form: str, text: str) -> None:
    assert datetimes.when(MOMENT, form) == (
        f'<time datetime="2026-11-26T17:00:05+00:00" data-when="{form}" data-zone="Europe/Berlin" '
        f'data-offset="60" data-time="18:00 CET">{text}</time>'
    )


def test_a_date_is_the_shops_for_everybody() -> None:
    late = datetime(2026, 11, 26, 23, 30, tzinfo=UTC)

    assert (
        datetimes.when(late, "date") == '<time datetime="2026-11-26T23:30:00+00:00">27 November 2026</time>'
    )


@pytest.mark.parametrize(
    ("zone", "moment", "text", "offset"),
    [
        # In Berlin the clocks go back on 25 October 2026 at 01:00 UTC, and forward on 28 March 2027.
        ("Europe/Berlin", "2026-10-25T00:30", "02:30 CEST", 120),
        ("Europe/Berlin", "2026-10-25T01:30", "02:30 CET", 60),
        ("Europe/Berlin", "2027-03-28T00:59", "01:59 CET", 60),
        ("Europe/Berlin", "2027-03-28T01:00", "03:00 CEST", 120),
        ("America/New_York", "2026-11-01T05:30", "01:30 EDT", -240),
        ("America/New_York", "2026-11-01T06:30", "01:30 EST", -300),
        ("Asia/Kolkata", "2026-11-01T12:00", "17:30 IST", 330),
        ("Asia/Kathmandu", "2026-11-01T12:00", "17:45 UTC+5:45", 345),
        ("America/Sao_Paulo", "2026-11-01T12:00", "09:00 UTC-3", -180),
        ("America/St_Johns", "2026-11-01T05:00", "01:30 NST", -210),
        ("Australia/Lord_Howe", "2026-10-03T15:29", "01:59 UTC+10:30", 630),
        ("Australia/Lord_Howe", "2026-10-03T15:30", "02:30 UTC+11", 660),
        ("UTC", "2026-11-01T12:00", "12:00 UTC", 0),
    ],
)
def test_the_zones_name_and_offset_are_those_of_the_moment(
    settings: Settings, zone: str, moment: str, text: str, offset: int
) -> None:
    settings.SHOP_TIME_ZONE = zone
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    assert shop_time.time_of_day(at) == text
    assert f'data-offset="{offset}" data-time="{text}">{text}</time>' in shop_time.when(at, "time")
