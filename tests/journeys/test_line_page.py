"""The line in the drop's page, for status documents made by the tests: its texts and its requests."""

import re
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from drops.waitingroom.protocol.status import POLL
from tests.journeys.conftest import Look, Visit, read_json

ChangeStatus = Callable[..., None]


@pytest.fixture
def open_line(shop: str, live_drop: str, visit: Visit) -> Any:
    """Open the drop's page as the holder of an index. Return it, and a function that changes the status."""

    def run(
        *, index: int | None, size: str = "phone", opens_in: float | None = None, **changes: Any
    ) -> tuple[Page, ChangeStatus]:
        truth = read_json(f"{shop}/line/{live_drop}/status.json")
        truth.pop("now")
        plenty = [edition | {"free": 100_000} for edition in truth["editions"]]
        document = truth | {"sealed": 10_000, "pace": 5.0, "phase": "live", "editions": plenty} | changes
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
        page.route("**/renew", lambda route: route.fulfill(json={}))  # there is an index, but no ticket
        if opens_in is not None:
            page.clock.install()
            before_its_opening(page, seconds=opens_in)
        page.goto(f"{shop}/drops/{live_drop}/")
        return page, document.update

    return run


def before_its_opening(page: Page, *, seconds: float) -> None:
    """Let the drop's page be loaded in the lobby, that long before the opening."""
    opens = int(time.time() + seconds)

    def answer(route: Route) -> None:
        html = route.fetch().text()
        html = re.sub(r'data-opens="\d+"', f'data-opens="{opens}"', html)
        route.fulfill(body=html.replace('data-phase="live"', 'data-phase="lobby"'), content_type="text/html")

    page.route("**/drops/*/", answer)


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
    expect(state(page)).to_contain_text("600 places are ahead of yours. It will take about 1–4 minutes.")
    expect(state(page)).to_contain_text("As many people as can pay at once are choosing.")
    expect(state(page)).to_contain_text("You joined after the draw, as number 20,001.")
    look(page, "in line")


def test_a_huge_place_fits(open_line: Any, look: Look) -> None:
    page, _change = open_line(
        index=1_284_416, cursor=0, editions=[{"sku": "S", "band": "low", "free": 9, "held": 3}]
    )

    expect(state(page).locator("[data-slot=place]")).to_have_text("1,284,417")
    expect(state(page)).to_contain_text("Pieces left: 12.")
    expect(state(page)).not_to_contain_text("It will take")
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


@pytest.mark.parametrize(("phase", "says"), [("sold out", "Sold out"), ("closed", "Closed")])
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


class TestFalseNews:
    """Nothing is said that isn't known: the connection, a wait, a place that a pause keeps."""

    @pytest.mark.parametrize("index", [None, 3])
    def test_an_opening_after_quiet_seconds_is_no_lost_connection(
        self, open_line: Any, index: int | None
    ) -> None:
        page, _change = open_line(
            index=index, opens_in=25, phase="lobby", sealed=None, secret=None, poll=POLL
        )
        expect(state(page)).to_have_attribute("data-now", "lobby" if index is None else "joined")

        opened = "opening" if index is None else "drawing"
        seconds = 0.0
        while state(page).get_attribute("data-now") != opened:
            page.clock.run_for(250)
            seconds += 0.25
            assert seconds < 30

        # No poll was due since the first, and the next comes a second later at the earliest.
        assert seconds > 15
        assert not state(page).locator("[data-slot=notice]").is_visible()

    def test_a_draw_that_is_over_isn_t_said_to_go_on_without_a_status(
        self, open_line: Any, look: Look
    ) -> None:
        page, change_status = open_line(index=3, cursor=0, away=True)

        expect(state(page)).to_contain_text("You're in the line")
        expect(state(page)).to_contain_text("Reconnecting. Your place is kept.")
        expect(state(page)).not_to_contain_text("being drawn")
        look(page, "unplaced")

        change_status(away=False)
        ask_again(page)
        expect(state(page)).to_have_attribute("data-now", "waiting")

    @pytest.mark.parametrize("pace", [None, 0, 5.0])
    def test_an_estimate_needs_a_measured_pace(self, open_line: Any, pace: float | None) -> None:
        page, _change = open_line(index=20_000, cursor=19_948, entered=9_974, pace=pace, rate=25.0)
        expect(state(page)).to_contain_text("52 places are ahead of yours.")

        text = state(page).inner_text()

        assert ("The line is standing still." in text) is (pace == 0)
        assert ("It will take less than a minute." in text) is (pace == 5.0)
        assert "Called so far: 19,948. Entered: 9,974." in text

    @pytest.mark.parametrize(("index", "number"), [(20_000, "1,001"), (19_000, "1")])
    def test_a_pause_keeps_the_number(self, open_line: Any, look: Look, index: int, number: str) -> None:
        page, change_status = open_line(
            index=index, cursor=19_000, phase="paused", sentence="Paused. Your place is kept.", size="desktop"
        )

        expect(state(page)).to_contain_text("Paused. Your place is kept.")
        expect(state(page).locator("[data-slot=place]")).to_have_text(number)
        expect(state(page)).not_to_contain_text("It will take")
        look(page, f"paused in line {number}")

        change_status(phase="live", sentence="")
        ask_again(page)
        expect(state(page)).not_to_contain_text("Paused")

    def test_a_pause_keeps_joining(self, open_line: Any, look: Look) -> None:
        page, _change = open_line(index=None, phase="paused")

        expect(state(page)).to_have_attribute("data-now", "paused")
        expect(page.get_by_role("button", name="Join the line")).to_be_visible()
        look(page, "paused, to join")

    def test_a_pause_keeps_a_turn_for_later(self, open_line: Any) -> None:
        page, change_status = open_line(index=18_000, cursor=19_000, phase="paused")

        expect(state(page)).to_contain_text("When the drop resumes, it's your turn.")
        assert not page.title().startswith("It's your turn.")

        change_status(phase="live")
        ask_again(page)
        expect(page.get_by_role("button", name="Enter the drop")).to_be_visible()
