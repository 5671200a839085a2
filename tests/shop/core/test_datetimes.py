"""Times as the desk reads and writes them, over both changes of the clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from shop.core import datetimes

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 8, 55, tzinfo=UTC)


def test_read_gives_the_moment_that_a_local_time_means():
    assert datetimes.read(datetime(2026, 12, 24, 9, 0), zone=BERLIN) == datetime(2026, 12, 24, 8, 0, tzinfo=UTC)  # noqa: DTZ001
    assert datetimes.read(datetime(2026, 7, 24, 9, 0), zone=BERLIN) == datetime(2026, 7, 24, 7, 0, tzinfo=UTC)  # noqa: DTZ001


def test_read_refuses_a_time_that_does_not_exist_with_both_readings():
    with pytest.raises(ValidationError) as refusal:
        datetimes.read(datetime(2027, 3, 28, 2, 30), zone=BERLIN)  # noqa: DTZ001

    assert " ".join(refusal.value.messages) == (
        "28 Mar 2027 02:30 doesn't exist in Europe/Berlin, when the clocks go forward: "
        "it may mean 01:30 CET (00:30 UTC) or 03:30 CEST (01:30 UTC). Choose a time outside that hour."
    )


def test_read_refuses_a_time_that_comes_twice_with_both_readings():
    with pytest.raises(ValidationError) as refusal:
        datetimes.read(datetime(2026, 10, 25, 2, 30), zone=BERLIN)  # noqa: DTZ001

    assert " ".join(refusal.value.messages) == (
        "25 Oct 2026 02:30 comes twice in Europe/Berlin, when the clocks go back: "
        "as 02:30 CEST (00:30 UTC) and as 02:30 CET (01:30 UTC). Choose a time outside that hour."
    )


@pytest.mark.parametrize("hour", [1, 3])
def test_read_takes_the_hours_beside_a_change_of_the_clocks(hour):
    for day in (datetime(2026, 10, 25, hour), datetime(2027, 3, 28, hour)):  # noqa: DTZ001
        assert datetimes.read(day, zone=BERLIN).astimezone(BERLIN).hour == hour


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
def test_distance_is_as_exact_as_it_matters(length, words):
    assert datetimes.distance(length) == words


def test_from_now_tells_what_comes_and_what_was():
    assert datetimes.from_now(NOW + timedelta(days=3), now=NOW) == "in 3\xa0days"
    assert datetimes.from_now(NOW - timedelta(minutes=2), now=NOW) == "2 minutes ago"


def test_told_writes_a_moment_locally_in_utc_and_from_now():
    with timezone.override("Europe/Berlin"):
        assert datetimes.told(NOW + timedelta(minutes=5), now=NOW) == (
            '<span class="desk-time">Tue 24 Nov 2026, 10:00 CET '
            '<span class="quiet">= 09:00 UTC · in 5 minutes</span></span>'
        )
    with timezone.override("Asia/Tokyo"):
        assert "Wed 25 Nov 2026, 01:00:30 JST" in datetimes.told(datetime(2026, 11, 24, 16, 0, 30, tzinfo=UTC), now=NOW)
        assert "= 24 Nov 16:00 UTC" in datetimes.told(datetime(2026, 11, 24, 16, 0, 30, tzinfo=UTC), now=NOW)


def test_told_has_a_dash_for_no_time():
    assert datetimes.told(None, now=NOW) == "–"


@pytest.mark.parametrize("text", ["2026-12-24T09:00", "2026-12-24 09:00:00", "2026-12-24T08:00+00:00"])
def test_field_reads_what_browsers_and_people_type(text):
    with timezone.override("Europe/Berlin"):
        assert datetimes.LocalTimeField().clean(text) == datetime(2026, 12, 24, 8, 0, tzinfo=UTC)


def test_field_refuses_what_is_no_time():
    with pytest.raises(ValidationError, match="Write the time as 2026-12-24 09:00"):
        datetimes.LocalTimeField().clean("nine")


def test_field_may_be_empty():
    assert datetimes.LocalTimeField(required=False).clean("") is None
