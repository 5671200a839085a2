"""The line in the drop's page, for status documents made by the tests: its texts and its requests."""

import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.conftest import Look, Visit, read_json

ChangeStatus = Callable[..., None]


@pytest.fixture
def open_line(shop: str, live_drop: str, visit: Visit) -> Any:
    """Open the drop's page as the holder of an index. Return it, and a function that changes the status."""

    def run(*, index: int | None, size: str = "phone", **changes: Any) -> tuple[Page, ChangeStatus]:
        truth = read_json(f"{shop}/line/{live_drop}/status.json")
        truth.pop("now")
        plenty = [edition | {"free": 100_000} for edition in truth["editions"]]
        document = truth | {"sealed": 10_000, "rate": 5.0, "phase": "live", "editions": plenty} | changes
        page = visit(size)
        if index is not None:
            page.context.add_cookies([{"name": f"index-{live_drop}", "value": str(index), "url": shop}])

        def answer(route: Route) -> None:
            if document.get("away"):
                route.abort()
                return
            if not document.get("stuck"):
                document["tick"] += 1
            route.fulfill(json={"now": time.time()} | document, headers={"date": formatdate(usegmt=True)})

        page.route("**/status.json", answer)
        page.goto(f"{shop}/drops/{live_drop}/")
        return page, document.update

    return run


def state(page: Page) -> Any:
    return page.locator("#state")


def ask_again(page: Page) -> None:
    """Make the page look at once, as it does when the network is back."""
    page.evaluate("dispatchEvent(new Event('online'))")


def test_says_place_wait_and_reason(open_line: Any, look: Look) -> None:
    page, _change = open_line(
        index=20_000, cursor=19_400, sentence="As many people as can pay at once are choosing."
    )

    expect(state(page)).to_have_attribute("data-now", "waiting")
    expect(state(page).locator("[data-slot=place]")).to_have_text("601")
    expect(state(page)).to_contain_text("600 people are ahead of you. It will take about 1–4 minutes.")
    expect(state(page)).to_contain_text("As many people as can pay at once are choosing.")
    expect(state(page)).to_contain_text("You joined after the draw, as number 20,001.")
    look(page, "in line")


def test_a_huge_place_fits(open_line: Any, look: Look) -> None:
    page, _change = open_line(index=1_284_416, cursor=0)

    expect(state(page).locator("[data-slot=place]")).to_have_text("1,284,417")
    expect(state(page)).to_contain_text("you're unlikely to get one.")
    look(page, "long line")


def test_turns_when_the_cursor_passes(open_line: Any) -> None:
    page, change_status = open_line(index=20_000, cursor=20_000)
    expect(state(page)).to_contain_text("You're next.")

    change_status(cursor=20_001)

    expect(page.get_by_role("button", name="Enter the drop")).to_be_visible()
    expect(page.locator("#spoken")).to_have_text("It's your turn.")
    assert page.title().startswith("It's your turn. ")


def test_ignores_an_older_document(open_line: Any) -> None:
    page, change_status = open_line(index=20_000, cursor=19_000, epoch=5)
    expect(state(page).locator("[data-slot=place]")).to_have_text("1,001")

    change_status(epoch=4, cursor=20_001)
    with page.expect_response("**/status.json"):
        ask_again(page)
    change_status(epoch=5, cursor=19_500)
    ask_again(page)

    expect(state(page).locator("[data-slot=place]")).to_have_text("501")


def test_says_reconnecting_and_keeps_the_place(open_line: Any) -> None:
    page, change_status = open_line(index=20_000, cursor=19_000)
    expect(state(page).locator("[data-slot=place]")).to_have_text("1,001")

    change_status(away=True)
    ask_again(page)
    expect(state(page)).to_contain_text("Reconnecting. Your place is kept.")
    expect(state(page).locator("[data-slot=place]")).to_have_text("1,001")

    change_status(away=False)
    expect(state(page)).not_to_contain_text("Reconnecting")


def test_an_old_document_says_nothing(open_line: Any) -> None:
    page, _change = open_line(index=20_000, cursor=19_000, now=time.time() - 60)

    expect(state(page)).to_contain_text("Reconnecting. Your place is kept.")


def test_says_so_when_offline(open_line: Any) -> None:
    page, change_status = open_line(index=20_000, cursor=19_000)
    expect(state(page)).to_have_attribute("data-now", "waiting")

    change_status(away=True)
    page.context.set_offline(True)
    ask_again(page)

    expect(state(page)).to_contain_text("You're offline. Your place is kept.")


@pytest.mark.parametrize(
    ("phase", "says"), [("paused", "Your place is kept."), ("sold out", "Sold out"), ("closed", "Closed")]
)
def test_shows_what_the_line_says_before_the_page_is_loaded_again(
    open_line: Any, phase: str, says: str
) -> None:
    page, _change = open_line(index=3, phase=phase)

    expect(state(page)).to_have_attribute("data-now", phase)
    expect(state(page)).to_contain_text(says)


def test_a_newcomer_sees_bands_and_may_join(open_line: Any) -> None:
    page, _change = open_line(index=None, joined=1234)

    expect(state(page)).to_contain_text("1,234 people have joined.")
    expect(page.get_by_role("button", name="Join the line")).to_be_visible()


def test_a_repeat_after_a_lost_answer_joins_once(open_line: Any) -> None:
    page, _change = open_line(index=None)
    keys: list[str] = []

    def lose_the_first(route: Route) -> None:
        keys.append(route.request.post_data or "")
        if len(keys) == 1:
            route.fetch()  # it arrived, its answer did not
            route.abort()
        else:
            route.continue_()

    page.route("**/join", lose_the_first)
    page.get_by_role("button", name="Join the line").click()

    expect(state(page)).to_have_attribute("data-now", "waiting")
    assert len(keys) == 2
    assert keys[0] == keys[1]
