"""Times on the gate's pages."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from drops.waitingroom.gate.times import format_time, shop_zone

pytestmark = pytest.mark.usefixtures("in_utc")


@pytest.mark.parametrize(
    ("at", "words"), [(0, "00:00 UTC, 1 January 1970"), (1, "00:00:01 UTC, 1 January 1970")]
)
def test_format_time_shows_seconds_only_if_there_are_any(at: float, words: str) -> None:
    assert format_time(at) == words


@pytest.mark.parametrize(
    ("zone", "at", "words"),
    [
        ("Europe/Berlin", "2026-12-02T18:00:00", "19:00 CET, 2 December 2026 (18:00 UTC)"),
        ("Europe/Berlin", "2026-12-02T18:00:09", "19:00:09 CET, 2 December 2026 (18:00:09 UTC)"),
        (
            "Europe/Berlin",
            "2026-12-02T23:30:00",
            "00:30 CET, 3 December 2026 (23:30 UTC, 2 December 2026)",
        ),
        ("Europe/London", "2026-12-02T18:00:00", "18:00 GMT, 2 December 2026"),
        ("Europe/London", "2026-07-02T18:00:00", "19:00 BST, 2 July 2026 (18:00 UTC)"),
        ("Asia/Kathmandu", "2026-12-02T12:00:00", "17:45 UTC+5:45, 2 December 2026 (12:00 UTC)"),
        ("America/St_Johns", "2026-12-02T12:00:00", "08:30 NST, 2 December 2026 (12:00 UTC)"),
        # Clocks go back at 01:00 UTC, and forward.
        ("Europe/Berlin", "2026-10-25T00:30:00", "02:30 CEST, 25 October 2026 (00:30 UTC)"),
        ("Europe/Berlin", "2026-10-25T01:30:00", "02:30 CET, 25 October 2026 (01:30 UTC)"),
        ("Europe/Berlin", "2027-03-28T00:59:00", "01:59 CET, 28 March 2027 (00:59 UTC)"),
        ("Europe/Berlin", "2027-03-28T01:00:00", "03:00 CEST, 28 March 2027 (01:00 UTC)"),
    ],
)
def test_format_time_says_the_shops_time_and_utc(zone: str, at: str, words: str) -> None:
    shop_zone.activate(ZoneInfo(zone))

    assert format_time(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp()) == words
