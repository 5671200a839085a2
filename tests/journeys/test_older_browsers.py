"""Browsers of the support table: pages without what they lack, errors in drawing, and scripts that fail."""

import json
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from deploy.browsers.support import read_newer
from tests.journeys.conftest import SIZES, Look, Visit, read_json
from tests.journeys.test_purchase import GOOD, fill_address, get_in, pay

# Deletes each feature from the page's own world, so that using it fails as it does in a browser without it.
DELETE = """(features) => {
  for (const [kind, name] of features) {
    const path = name.split(".");
    const last = path.pop();
    const owner = path.reduce((object, part) => object?.[part], window);
    delete owner?.[last];
    if (kind === "method") delete owner?.prototype?.[last];
  }
}"""
FEATURES = [[kind, name] for kind, name, _ in read_newer() if kind in {"global", "static", "method"}]
LACKED = [
    ["AbortSignal", "timeout"],
    ["Intl.NumberFormat.prototype", "formatRange"],
    ["Document.prototype", "startViewTransition"],
    ["Array.prototype", "toSorted"],
    ["Promise", "withResolvers"],
]


def make_older(page: Page) -> None:
    page.add_init_script(f"({DELETE})({json.dumps(FEATURES)})")


def test_lacks_what_it_should(shop: str, visit: Visit) -> None:
    page = visit("phone")
    make_older(page)
    page.goto(f"{shop}/how/")

    for owner, name in LACKED:
        assert page.evaluate(f"'{name}' in {owner}") is False, name
    assert page.evaluate("'abort' in AbortController.prototype && 'format' in Intl.NumberFormat.prototype")


@pytest.mark.parametrize(
    ("least", "most", "text"),
    [
        (360, 540, "6–9 minutes"),
        (59, 61, "1–2 minutes"),
        (120, 120, "2 minutes"),
        (0, 30, "1 minute"),
        (59_940, 3_540_000, "999–59,000 minutes"),
    ],
)
def test_an_older_browser_says_a_range(shop: str, visit: Visit, least: int, most: int, text: str) -> None:
    page = visit("phone")
    make_older(page)
    page.goto(f"{shop}/how/")

    module = f"{shop}/static/shop/js/clock.js"
    said = page.evaluate(
        "async ([module, least, most]) => (await import(module)).range(least, most)", [module, least, most]
    )

    assert said == text


Status = dict[str, Any]


def answer_status(page: Page, *, shop: str, drop: str, index: int) -> Status:
    """Make the page that of a ticket. Return the status that each of its polls gets from now on."""
    status: Status = read_json(f"{shop}/line/{drop}/status.json")
    status |= {"phase": "live", "sealed": 10_000, "cursor": 18_000, "pace": 5.0, "asked": 0}
    status["editions"] = [edition | {"free": 100_000} for edition in status["editions"]]
    status["poll"] = {"least": 0.1, "most": 0.2, "share": 20, "pace": 0}
    page.context.add_cookies([{"name": f"index-{drop}", "value": str(index), "url": shop}])
    page.route("**/renew", lambda route: route.fulfill(json={}))  # there is an index, but no ticket

    def answer(route: Route) -> None:
        status["tick"] += 1
        status["asked"] += 1
        route.fulfill(json=status | {"now": time.time()}, headers={"date": formatdate(usegmt=True)})

    page.route("**/status.json", answer)
    return status


def state(page: Page) -> Any:
    return page.locator("#state")


def test_an_older_browsers_turn_comes(shop: str, live_drop: str, visit: Visit) -> None:
    page = visit("phone")
    make_older(page)
    status = answer_status(page, shop=shop, drop=live_drop, index=20_000)
    page.goto(f"{shop}/drops/{live_drop}/")
    expect(state(page)).to_contain_text("It will take about 5–11 minutes.")

    status["cursor"] = 20_001

    expect(state(page)).to_have_attribute("data-now", "turn")


@pytest.fixture
def stranger(browser: Browser) -> Iterator[Callable[[], Page]]:
    """`stranger()`: a page of a new visitor that may have errors, which `visit` takes for faults."""
    contexts: list[BrowserContext] = []

    def run() -> Page:
        contexts.append(browser.new_context(locale="en-GB", reduced_motion="reduce"))
        return contexts[-1].new_page()

    yield run
    for context in contexts:
        context.close()


WITHOUT_SCRIPT = "See your place in line without JavaScript"
BREAK = "void ({0} = () => {{ throw new Error('drawing') }})"
DRAWING = [
    "document.getElementById('editions').querySelector",  # a part of each drawing
    "document.getElementById('state').replaceChildren",  # a change of state
    "document.getElementById('state').querySelectorAll",  # what changes each second
]


def test_an_error_in_drawing_never_ends_polling(
    shop: str, live_drop: str, stranger: Callable[[], Page]
) -> None:
    pages = {part: stranger() for part in DRAWING}  # side by side, since each takes some seconds to give up
    statuses = {
        part: answer_status(page, shop=shop, drop=live_drop, index=20_000) for part, page in pages.items()
    }
    for page in pages.values():
        page.goto(f"{shop}/drops/{live_drop}/")
    for part, page in pages.items():
        expect(state(page)).to_have_attribute("data-now", "waiting")
        expect(page.locator(".without-script")).to_have_attribute("hidden", "")
        page.evaluate(BREAK.format(part))
        statuses[part]["cursor"] = 20_001

    seen = {part: status["asked"] for part, status in statuses.items()}
    for part, page in pages.items():
        offer = page.get_by_role("link", name=WITHOUT_SCRIPT)
        expect(offer).to_be_visible()
        assert statuses[part]["asked"] > seen[part] + 3, part

        page.evaluate(f"delete {part}")
        expect(state(page)).to_contain_text("It's your turn")
        expect(page.get_by_role("button", name="Enter the drop")).to_be_visible()
        expect(offer).to_be_hidden()


Fault = Callable[[Route], None]


def blocked(route: Route) -> None:
    route.abort()


def hanging(route: Route) -> None:
    """Leave a request without an answer."""


def gone(route: Route) -> None:
    route.fulfill(status=404, body="")


def throwing(route: Route) -> None:
    route.fulfill(content_type="text/javascript", body="throw new Error('at its start')")


def unreadable(route: Route) -> None:
    route.fulfill(content_type="text/javascript", body="this browser can't read it")


# Each fault, of the page's own script and of each that it imports.
BROKEN_SCRIPTS: list[tuple[str, Fault]] = [
    ("waiting-room", blocked),
    ("waiting-room", hanging),
    ("clock", hanging),
    ("clock", gone),
    ("shuffle", throwing),
    ("shuffle", unreadable),
]


def test_a_drop_offers_the_line_without_script(
    shop: str, live_drop: str, stranger: Callable[[], Page]
) -> None:
    pages = []  # side by side, since each waits for its script for some seconds
    for script, fault in BROKEN_SCRIPTS:
        page = stranger()
        page.route(f"**/js/{script}*.js", fault)
        page.goto(f"{shop}/drops/{live_drop}/", wait_until="commit")
        pages.append(page)

    for page in pages:
        link = page.get_by_role("link", name=WITHOUT_SCRIPT)
        expect(link).to_be_visible()
        link.click()
        page.wait_for_url(f"**/line/{live_drop}/")
        expect(page.get_by_role("button", name="Join the line")).to_be_visible()


def test_a_script_that_comes_late_takes_the_offer_back(
    shop: str, live_drop: str, visit: Visit, look: Look
) -> None:
    page = visit("phone")
    late: list[Route] = []

    def hold_back(route: Route) -> None:
        late.append(route)

    page.route("**/js/waiting-room*.js", hold_back)
    page.goto(f"{shop}/drops/{live_drop}/", wait_until="commit")
    link = page.get_by_role("link", name=WITHOUT_SCRIPT)
    expect(link).to_be_visible()
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        look(page, "no script in the drop")

    late[0].continue_()

    expect(link).to_be_hidden()


def test_a_working_page_never_offers_it(shop: str, live_drop: str, visit: Visit) -> None:
    page = visit("phone")
    page.goto(f"{shop}/drops/{live_drop}/")

    expect(page.locator(".without-script")).to_have_attribute("hidden", "")
    assert page.get_by_role("link", name=WITHOUT_SCRIPT).count() == 0


def test_an_older_browser_buys_once_the_checkout_has_its_script(
    shop: str, lobby: str, visit: Visit, look: Look
) -> None:
    """The last one, since the lobby closes the drop before it."""
    page = visit("phone")
    make_older(page)
    page.goto(f"{shop}/drops/{lobby}/")
    get_in(page, look)
    fill_address(page)
    page.route("**/js/checkout*.js", blocked)
    page.reload()
    note = page.locator(".without-script")
    expect(note).to_be_visible()
    expect(note).to_contain_text("Paying needs JavaScript")
    expect(note).to_contain_text("you haven't been charged")
    look(page, "no script in the checkout")
    page.unroute("**/js/checkout*.js")
    note.get_by_role("link", name="Reload this page").click()

    expect(page.locator(".without-script")).to_have_count(0)
    fill_address(page)
    pay(page, GOOD)
    page.wait_for_url("**/orders/*/")
    expect(page.get_by_role("heading", name="Yours: No.")).to_be_visible()
