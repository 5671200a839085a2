"""Journeys: a browser, or plain HTTP, against the running shop.

Pictures of what was seen lie in var/artefacts/.
"""

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from deploy.local.runner.programs import ROOT
from deploy.local.runner.stack import RunningStack
from tests.journeys.inside import Inside
from tests.servers import until

ARTEFACTS = ROOT / "var/artefacts"
SIZES = {"phone": (390, 844), "desktop": (1280, 800)}
FAILED = pytest.StashKey[bool]()
SECONDS = 60_000  # milliseconds, as Playwright counts

expect.set_options(timeout=SECONDS)

Visit = Callable[..., Page]
Look = Callable[[Page, str], None]


@pytest.fixture(scope="session")
def shop(stack: RunningStack) -> str:
    """The shop's origin."""
    return stack.environment["SHOP_ORIGIN"]


@pytest.fixture(scope="session")
def inside(stack: RunningStack) -> Iterator[Inside]:
    """A process inside the shop: `inside.call(function, …)`, `inside.manage("announce", "x")`."""
    with Inside(stack.environment) as process:
        yield process


def announced(inside: Inside, *, opens_in: float, lobby_before: float, **more: float) -> str:
    """Announce the demo's next drop, which closes the one before; its slug. `more`: its other options."""
    options = {"opens_in": opens_in, "lobby_before": lobby_before, **more}
    said = inside.manage(
        "demo",
        *(word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))),
    )
    found = re.search(r"^(\S+) opens at", said, re.MULTILINE)
    assert found, said
    return found[1]


def wait_for(phase: str, *, shop: str, slug: str) -> None:
    """Wait, bounded, until the shop's API says that a drop has reached a phase."""
    until(lambda: read_json(f"{shop}/api/v1/drops/{slug}/")["phase"] == phase, f"{slug} {phase}")


@pytest.fixture
def lobby(shop: str, inside: Inside) -> str:
    """A drop whose lobby is open and that opens in a few seconds, of this test alone."""
    slug = announced(inside, opens_in=12, lobby_before=11.5)
    wait_for("lobby", shop=shop, slug=slug)
    until(lambda: read(f"{shop}/line/{slug}/status.json").status == 200, "a gate that knows the drop")
    return slug


@pytest.fixture(scope="module")
def live_drop(shop: str, inside: Inside) -> str:
    """A drop that is live, for the tests of a module that announces none."""
    slug = announced(inside, opens_in=3, lobby_before=2)
    wait_for("live", shop=shop, slug=slug)
    return slug


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let fixtures see whether their test failed."""
    report = yield
    item.stash.setdefault(FAILED, False)
    item.stash[FAILED] |= report.failed
    return report


def print_page(page: Page) -> None:
    """Print a page's address and text, and the line's status document."""
    words = " ".join(page.locator("body").inner_text().split())
    sys.stdout.write(f"{page.url}\n{words[:2000]}\n")
    if found := re.match(r"(http://[^/]+)/(?:line|drops)/([^/]+)/", page.url):
        sys.stdout.write(read(f"{found[1]}/line/{found[2]}/status.json").read().decode() + "\n")


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """`visit("phone")`: a page of a new visitor.

    Errors in the console or in scripts fail the test at its end.
    """
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        # A 4xx is logged as an error, too; what pages do about it is tested where it is expected.
        # That a preloaded font is used late says how busy the machine is, not what the page does.
        if "Failed to load resource" in message.text or "but not used within a few seconds" in message.text:
            return
        faults.append(message.text)

    def run(size: str, **options: Any) -> Page:
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height}, reduced_motion="reduce", locale="en-GB", **options
        )
        context.set_default_timeout(SECONDS)
        contexts.append(context)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: faults.append(str(error)))
        return page

    yield run
    for context in contexts:
        if request.node.stash.get(FAILED, False):
            for page in context.pages:
                print_page(page)
        context.close()
    assert faults == []


@pytest.fixture
def look(request: pytest.FixtureRequest) -> Look:
    """`look(page, "lobby")`: keep a picture; nothing sticks out sideways; the accessibility rules hold."""
    ARTEFACTS.mkdir(parents=True, exist_ok=True)

    def run(page: Page, name: str) -> None:
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=ARTEFACTS / f"{name}-{width}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (
            f"{name} is wider than the window"
        )
        # The card form's frame is another origin's, and preloaded style sheets would be written inline.
        found = Axe().run(page, options={"iframes": False, "preload": False})
        broken = [
            (rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found.response["violations"]
        ]
        assert broken == [], name

    return run


def read(url: str, **headers: str) -> Any:
    """GET as a program does: the answer, a refusal too, redirects followed."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(urllib.request.Request(url, headers=headers), timeout=20)
    except urllib.error.HTTPError as refusal:
        return refusal


def read_json(url: str) -> Any:
    """GET a document."""
    return json.loads(read(url).read())
