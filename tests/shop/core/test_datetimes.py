"""Times as the admin reads and shows them, across both changes of the clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from shop.core import datetimes

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 8, 55, tzinfo=UTC)


def test_parse_local_time_returns_the_moment_that_is_meant() -> None:
    winter, summer = datetime(2026, 12, 24, 9, 0), datetime(2026, 7, 24, 9, 0)  # noqa: DTZ001

    assert datetimes.parse_local_time(winter, zone=BERLIN) == datetime(2026, 12, 24, 8, 0, tzinfo=UTC)
    assert datetimes.parse_local_time(summer, zone=BERLIN) == datetime(2026, 7, 24, 7, 0, tzinfo=UTC)


def test_parse_local_time_refuses_a_skipped_time_with_both_readings() -> None:
    with pytest.raises(ValidationError) as refusal:
        datetimes.parse_local_time(datetime(2027, 3, 28, 2, 30), zone=BERLIN)  # noqa: DTZ001

    assert " ".join(refusal.value.messages) == (
        "28 Mar 2027 02:30 doesn't exist in Europe/Berlin, when the clocks go forward: "
        "it could mean 01:30 CET (00:30 UTC) or 03:30 CEST (01:30 UTC). Choose a time outside that hour."
    )


def test_parse_local_time_refuses_a_repeated_time_with_both_readings() -> None:
    with pytest.raises(ValidationError) as refusal:
        datetimes.parse_local_time(datetime(2026, 10, 25, 2, 30), zone=BERLIN)  # noqa: DTZ001

    assert " ".join(refusal.value.messages) == (
        "25 Oct 2026 02:30 comes twice in Europe/Berlin, when the clocks go back: "
        "as 02:30 CEST (00:30 UTC) and as 02:30 CET (01:30 UTC). Choose a time outside that hour."
    )


@pytest.mark.parametrize("hour", [1, 3])
def test_parse_local_time_accepts_the_hours_beside_a_change_of_the_clocks(hour: int) -> None:
    for day in (datetime(2026, 10, 25, hour), datetime(2027, 3, 28, hour)):  # noqa: DTZ001
        assert datetimes.parse_local_time(day, zone=BERLIN).astimezone(BERLIN).hour == hour


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=0), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(minutes=5), "5 minutes"),
        (timedelta(minutes=4, seconds=12), "4 minutes 12 seconds"),
        (timedelta(hours=1, minutes=30), "1\xa0hour, 30\xa0minutes"),
        (timedelta(days=1, hours=2), "1\xa0day, 2\xa0hours"),
        (timedelta(days=3, hours=2), "3\xa0days"),
    ],
)
def test_format_duration_is_as_exact_as_it_matters(length: timedelta, words: str) -> None:
    assert datetimes.format_duration(length) == words


def test_format_from_now_names_the_future_and_the_past() -> None:
    assert datetimes.format_from_now(NOW + timedelta(days=3), now=NOW) == "in 3\xa0days"
    assert datetimes.format_from_now(NOW - timedelta(minutes=2), now=NOW) == "2 minutes ago"


def test_format_time_shows_local_time_utc_and_the_distance_from_now() -> None:
    with timezone.override("Europe/Berlin"):
        assert datetimes.format_time(NOW + timedelta(minutes=5), now=NOW) == (
            '<span class="backoffice-time">Tue 24 Nov 2026, 10:00 CET '
            '<span class="quiet">= 09:00 UTC · in 5 minutes</span></span>'
        )
    with timezone.override("Asia/Tokyo"):
        text = datetimes.format_time(datetime(2026, 11, 24, 16, 0, 30, tzinfo=UTC), now=NOW)
        assert "Wed 25 Nov 2026, 01:00:30 JST" in text
        assert "= 24 Nov 16:00 UTC" in text


def test_format_time_shows_a_dash_for_none() -> None:
    assert datetimes.format_time(None, now=NOW) == "–"


@pytest.mark.parametrize("text", ["2026-12-24T09:00", "2026-12-24 09:00:00", "2026-12-24T08:00+00:00"])
def test_field_accepts_what_browsers_send_and_people_type(text: str) -> None:
    with timezone.override("Europe/Berlin"):
        assert datetimes.LocalTimeField().clean(text) == datetime(2026, 12, 24, 8, 0, tzinfo=UTC)


def test_field_refuses_text_that_is_not_a_time() -> None:
    with pytest.raises(ValidationError, match="Write the time as 2026-12-24 09:00"):
        datetimes.LocalTimeField().clean("nine")


def test_field_may_be_empty() -> None:
    assert datetimes.LocalTimeField(required=False).clean("") is None
