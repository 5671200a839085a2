"""Ways out of each state in a browser: two minutes that are up, a hold to release, a drop that has ended."""

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from drops.waitingroom.protocol.tickets import PASS_SECONDS
from tests.journeys import rows
from tests.journeys.conftest import SIZES, Look, Visit, wait_for
from tests.journeys.inside import Inside


def get_to_pick(page: Page, shop: str, slug: str) -> None:
    page.goto(f"{shop}/drops/{slug}/")
    page.get_by_role("button", name="Join the line").click()
    page.get_by_role("button", name="Enter the drop").click()
    page.wait_for_url("**/pick/")


def hold_one(page: Page) -> None:
    page.get_by_role("button", name="Hold one").click()
    page.wait_for_url("**/holds/*/")


def look_at_each_size(page: Page, look: Look, name: str) -> None:
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        look(page, name)


def let_two_minutes_pass(page: Page) -> None:
    """Make the page's own clock reach the end of its two minutes."""
    page.evaluate(f"document.querySelector('[data-ends]').dataset.ends -= {PASS_SECONDS}")


def test_enters_again_when_two_minutes_are_up(shop: str, live_drop: str, visit: Visit, look: Look) -> None:
    page = visit("phone")
    get_to_pick(page, shop, live_drop)
    let_two_minutes_pass(page)

    expect(page.get_by_role("button", name="Hold one")).to_be_hidden()
    expect(page.locator("#turn")).to_contain_text("Your two minutes to choose are up.")
    look_at_each_size(page, look, "two minutes are up")
    page.get_by_role("button", name="Enter again").click()

    expect(page.get_by_role("button", name="Hold one")).to_be_visible()
    expect(page.get_by_role("button", name="Enter again")).to_be_hidden()
    hold_one(page)


def test_waits_for_room_and_keeps_the_choice(shop: str, live_drop: str, visit: Visit, look: Look) -> None:
    page = visit("phone")
    get_to_pick(page, shop, live_drop)
    other = page.get_by_role("radio").last
    other.check()
    answers: list[dict[str, Any]] = [
        {"status": 409, "headers": {"retry-after": "1"}, "json": {"detail": "One moment."}},
        {"status": 503, "headers": {"retry-after": "1"}, "body": "no JSON"},
        {"status": 200, "json": {"pick": "/", "ends": int(time.time()) + 100}},
    ]

    def answer(route: Route) -> None:
        route.fulfill(**answers.pop(0))

    page.route("**/enter", answer)
    let_two_minutes_pass(page)
    page.get_by_role("button", name="Enter again").click()

    expect(page.locator("#turn")).to_have_text(re.compile(r"^One moment\. Trying again in \d s\.$"))
    look(page, "entering again")
    expect(page.get_by_role("button", name="Hold one")).to_be_visible()
    assert answers == []
    assert other.is_checked()


def test_goes_to_the_gates_own_page_when_there_is_no_way_in(shop: str, live_drop: str, visit: Visit) -> None:
    page = visit("phone")
    get_to_pick(page, shop, live_drop)
    page.context.clear_cookies(name=f"ticket-{live_drop}")
    let_two_minutes_pass(page)
    page.get_by_role("button", name="Enter again").click()

    expect(page.get_by_text("You're not in this line.")).to_be_visible()
    expect(page.get_by_role("link", name="Back to the line")).to_be_visible()


def test_without_script_the_page_offers_to_enter_again(shop: str, live_drop: str, visit: Visit) -> None:
    page = visit("phone", java_script_enabled=False)
    page.goto(f"{shop}/drops/{live_drop}/")
    page.get_by_role("button", name="Join the line").click()
    page.get_by_role("button", name="Enter the drop").click()
    page.wait_for_url("**/pick/")
    page.context.clear_cookies(name=f"pass-{live_drop}")
    page.get_by_role("button", name="Hold one").click()

    page.get_by_role("button", name="Enter again").click()

    page.wait_for_url("**/pick/")
    hold_one(page)


@pytest.mark.parametrize("scripts", [True, False])
def test_asks_before_releasing(shop: str, visit: Visit, look: Look, live_drop: str, scripts: bool) -> None:
    page = visit("phone")
    get_to_pick(page, shop, live_drop)
    expect(page.get_by_text("This will be hold 1 of 2.")).to_be_visible()
    hold_one(page)
    if not scripts:
        scriptless = visit("phone", java_script_enabled=False)
        scriptless.goto(page.url)
        page = scriptless
    page.get_by_role("link", name="Release No.").click()
    expect(page.get_by_role("heading", name=re.compile(r"^Release No\. [\d,]+\?"))).to_be_visible()
    if scripts:
        look_at_each_size(page, look, "release")
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_url("**/holds/*/")
    page.get_by_role("link", name="Release No.").click()
    page.get_by_role("button", name="Release No.").click()
    page.wait_for_url("**/drops/*/")


def test_holder_finds_the_hold_after_the_drop_was_closed(
    shop: str, live_drop: str, visit: Visit, look: Look, inside: Inside
) -> None:
    """The last one, since the others use the drop that it closes."""
    page = visit("phone")
    get_to_pick(page, shop, live_drop)
    hold_one(page)
    held = page.url
    inside.call(rows.close_drop, slug=live_drop)
    wait_for("closed", shop=shop, slug=live_drop)

    page.goto(f"{shop}/drops/{live_drop}/")
    expect(page.get_by_text("You can still pay for what you hold.")).to_be_visible()
    look(page, "closed, holding")
    page.get_by_role("link", name="Held for you").click()
    page.wait_for_url(held)

    scriptless = visit("phone", java_script_enabled=False)
    scriptless.context.add_cookies(page.context.cookies())  # type: ignore[arg-type]  # the same shape
    scriptless.goto(f"{shop}/line/{live_drop}/")
    scriptless.get_by_role("link", name="Go to what you hold").click()
    scriptless.wait_for_url(held)
