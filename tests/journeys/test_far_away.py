"""Times for shoppers in other zones: their own, with its name, and the shop's."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from shop.core import shop_time
from tests.journeys.conftest import SIZES, Look, Visit, announced, wait_for
from tests.journeys.inside import Inside

LOCALISE = """async ([module, html]) => {
  const { localise } = await import(module);
  const part = document.createElement("p");
  part.innerHTML = html;
  localise(part);
  localise(part);
  return part.textContent;
}"""


def shown(page: Page, shop: str, moment: datetime, form: str = "day") -> str:
    """What a page of the shop makes of a moment."""
    if not page.url.startswith(shop):
        page.goto(f"{shop}/how/")
    html = shop_time.when(moment, form)
    said: str = page.evaluate(LOCALISE, [f"{shop}/static/shop/js/clock.js", html])
    return said.replace("\u202f", " ").replace(" at ", ", ")  # Chromium's newer and older form of a date


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("Europe/Berlin", "Wednesday 2 December, 19:30 CET"),
        ("Europe/Paris", "Wednesday 2 December, 19:30 CET"),
        (
            "Africa/Lagos",
            "Wednesday 2 December, 19:30 GMT+1",
        ),  # the same offset: said once, in the reader's zone
        ("Europe/London", "Wednesday 2 December, 18:30 GMT (19:30 CET)"),
        ("America/New_York", "Wednesday 2 December, 13:30 GMT-5 (19:30 CET)"),
        ("America/St_Johns", "Wednesday 2 December, 15:00 GMT-3:30 (19:30 CET)"),
        ("Asia/Kolkata", "Thursday 3 December, 00:00 GMT+5:30 (Wednesday 2 December, 19:30 CET)"),
        ("Asia/Kathmandu", "Thursday 3 December, 00:15 GMT+5:45 (Wednesday 2 December, 19:30 CET)"),
        ("Australia/Adelaide", "Thursday 3 December, 05:00 GMT+10:30 (Wednesday 2 December, 19:30 CET)"),
        ("Pacific/Chatham", "Thursday 3 December, 08:15 GMT+13:45 (Wednesday 2 December, 19:30 CET)"),
        ("Pacific/Kiritimati", "Thursday 3 December, 08:30 GMT+14 (Wednesday 2 December, 19:30 CET)"),
        ("Pacific/Pago_Pago", "Wednesday 2 December, 07:30 GMT-11 (19:30 CET)"),
        ("UTC", "Wednesday 2 December, 18:30 UTC (19:30 CET)"),
    ],
)
def test_the_readers_own_time_is_named_beside_the_shops(
    shop: str, visit: Visit, zone: str, text: str
) -> None:
    page = visit("phone", timezone_id=zone)

    assert shown(page, shop, at("2026-12-02T18:30")) == text


@pytest.mark.parametrize(
    ("moment", "zone", "text"),
    [
        # Berlin's clocks go back at 01:00 UTC: 02:30 comes twice.
        ("2026-10-25T00:30", "Asia/Kolkata", "06:00 GMT+5:30 (02:30 CEST)"),
        ("2026-10-25T01:30", "Asia/Kolkata", "07:00 GMT+5:30 (02:30 CET)"),
        ("2026-10-25T00:30", "Europe/Berlin", "02:30 CEST"),
        ("2026-10-25T01:30", "Europe/Berlin", "02:30 CET"),
        ("2026-10-25T00:30", "Europe/Paris", "02:30 CEST"),
        ("2026-10-25T01:30", "Europe/Paris", "02:30 CET"),
        # Lagos is an hour behind until then, and has the same time from then on.
        ("2026-10-25T00:59", "Africa/Lagos", "01:59 GMT+1 (02:59 CEST)"),
        ("2026-10-25T01:00", "Africa/Lagos", "02:00 GMT+1"),
        # Berlin's clocks go forward at 01:00 UTC.
        ("2027-03-28T00:59", "Asia/Kathmandu", "06:44 GMT+5:45 (01:59 CET)"),
        ("2027-03-28T01:00", "Asia/Kathmandu", "06:45 GMT+5:45 (03:00 CEST)"),
        ("2027-03-28T00:59", "Europe/London", "00:59 GMT (01:59 CET)"),
        ("2027-03-28T01:00", "Europe/London", "02:00 BST (03:00 CEST)"),
        # The reader's own clocks change.
        ("2026-11-01T05:30", "America/New_York", "01:30 GMT-4 (06:30 CET)"),
        ("2026-11-01T06:30", "America/New_York", "01:30 GMT-5 (07:30 CET)"),
        ("2027-03-14T06:59", "America/New_York", "01:59 GMT-5 (07:59 CET)"),
        ("2027-03-14T07:00", "America/New_York", "03:00 GMT-4 (08:00 CET)"),
        ("2026-10-03T16:29", "Australia/Adelaide", "01:59 GMT+9:30 (18:29 CEST)"),
        ("2026-10-03T16:30", "Australia/Adelaide", "03:00 GMT+10:30 (18:30 CEST)"),
        ("2027-04-03T16:00", "Australia/Adelaide", "02:30 GMT+10:30 (18:00 CEST)"),
        ("2027-04-03T17:00", "Australia/Adelaide", "02:30 GMT+9:30 (19:00 CEST)"),
        ("2026-10-03T15:29", "Australia/Lord_Howe", "01:59 GMT+10:30 (17:29 CEST)"),
        ("2026-10-03T15:30", "Australia/Lord_Howe", "02:30 GMT+11 (17:30 CEST)"),
    ],
)
def test_times_are_right_on_the_days_the_clocks_change(
    shop: str, visit: Visit, moment: str, zone: str, text: str
) -> None:
    page = visit("phone", timezone_id=zone)

    said = shown(page, shop, at(moment), "day")

    times = re.findall(r"(\d\d:\d\d [^ )]+)", said)
    assert times == re.findall(r"(\d\d:\d\d [^ )]+)", text)
    own_day = at(moment).astimezone(ZoneInfo(zone))
    assert said.startswith(f"{own_day:%A} {own_day.day} {own_day:%B}, ")


ZONES = ["Asia/Kolkata", "Asia/Kathmandu", "Australia/Adelaide", "America/St_Johns", "Pacific/Chatham"]


@pytest.mark.parametrize("zone", ZONES)
def test_both_times_are_right_in_every_hour_around_a_change(shop: str, visit: Visit, zone: str) -> None:
    page = visit("phone", timezone_id=zone)
    starts = [
        "2026-10-03T12:00",
        "2026-10-24T22:00",
        "2026-11-01T02:00",
        "2027-03-13T22:00",
        "2027-03-27T22:00",
    ]
    moments = [at(start) + timedelta(minutes=30 * step) for start in starts for step in range(16)]

    for moment in moments:
        own, shops = moment.astimezone(ZoneInfo(zone)), moment.astimezone(ZoneInfo("Europe/Berlin"))
        said = shown(page, shop, moment, "time")
        assert said.startswith(f"{own:%H:%M} GMT"), moment
        assert said.endswith(f" ({shops:%H:%M %Z})"), moment


@pytest.mark.parametrize(
    ("locale", "zone", "text"),
    [
        ("en-US", "America/New_York", "Wednesday, December 2, 13:30 EST (19:30 CET)"),
        ("en-AU", "Australia/Adelaide", "Thursday 3 December, 05:00 ACDT (Wednesday 2 December, 19:30 CET)"),
        ("de-DE", "America/New_York", "Wednesday, December 2, 13:30 EST (19:30 CET)"),
    ],
)
def test_the_readers_variety_of_the_pages_language_names_the_zone(
    shop: str, browser: Any, locale: str, zone: str, text: str
) -> None:
    context = browser.new_context(locale=locale, timezone_id=zone)
    try:
        assert shown(context.new_page(), shop, at("2026-12-02T18:30")) == text
    finally:
        context.close()


@pytest.mark.parametrize("languages", ["undefined", "[]", "['en-US@posix']", "['xx', 'e', '']", "['de-DE']"])
def test_odd_languages_leave_the_pages_own(shop: str, visit: Visit, languages: str) -> None:
    page = visit("phone", timezone_id="Asia/Kolkata")
    page.add_init_script(f"Object.defineProperty(navigator, 'languages', {{ get: () => {languages} }})")

    assert shown(page, shop, at("2026-12-02T10:00")) == "Wednesday, December 2, 15:30 GMT+5:30 (11:00 CET)"


@pytest.fixture(scope="module")
def coming(shop: str, inside: Inside) -> str:
    """A drop that opens in two days."""
    slug = announced(inside, opens_in=2 * 86400, lobby_before=3600)
    wait_for("announced", shop=shop, slug=slug)
    return slug


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Australia/Adelaide", "Europe/London"])
def test_the_drops_page_says_both_times(shop: str, coming: str, visit: Visit, look: Look, zone: str) -> None:
    page = visit("phone", timezone_id=zone)
    page.goto(f"{shop}/drops/{coming}/")
    both = re.compile(r"Opens \w+ \d+ \w+.* \d\d:\d\d (GMT\S*|BST) \(.*\d\d:\d\d CES?T\)$")

    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        expect(page.locator("#state .lead")).to_have_text(both)
        expect(page.get_by_text("Reconnecting")).to_be_hidden()
        look(page, f"opens {zone.partition('/')[2]}")
