"""A place survives the browser: blocked cookies, a ticket taken to another browser, a link of a stranger."""

import http.client
import re
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Look, Visit, announced, read_json, wait_for
from tests.journeys.inside import Inside
from tests.servers import until

Blocked = Callable[..., Page]
HOPS = {"connection", "proxy-connection", "transfer-encoding", "keep-alive"}


@pytest.fixture(scope="module")
def drop(shop: str, inside: Inside) -> str:
    """A drop whose lobby is open for as long as these tests need it."""
    slug = announced(inside, opens_in=900, lobby_before=890)
    wait_for("lobby", shop=shop, slug=slug)
    until(lambda: read_json(f"{shop}/line/{slug}/status.json")["phase"] == "lobby", "an open lobby")
    return slug


class ForgetfulProxy(BaseHTTPRequestHandler):
    """Passes requests on without their cookies, and answers without those that they set."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.pass_on()

    def do_POST(self) -> None:
        self.pass_on()

    def pass_on(self) -> None:
        where = urlsplit(self.path)
        server = http.client.HTTPConnection(where.netloc, timeout=20)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = where.path + (f"?{where.query}" if where.query else "")
        kept = {name: text for name, text in self.headers.items() if name.lower() not in {"cookie", *HOPS}}
        server.request(self.command, path, body, kept)
        answer = server.getresponse()
        content = answer.read()
        self.send_response_only(answer.status)
        for name, text in answer.getheaders():
            if name.lower() not in {"set-cookie", "content-length", *HOPS}:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        server.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
        """Log nothing."""


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    """The address of a proxy through which no cookie passes."""
    with ThreadingHTTPServer(("127.0.0.1", 0), ForgetfulProxy) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def blocked(visit: Visit, proxy: str) -> Blocked:
    """`blocked(scripts=False)`: a page in a browser that sends, keeps and shows scripts no cookie."""

    def run(*, scripts: bool) -> Page:
        page = visit("phone", java_script_enabled=scripts, proxy={"server": proxy})
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setDocumentCookieDisabled", {"disabled": True})
        return page

    return run


def joined(shop: str, drop: str) -> int:
    """Return how many have joined, by a status document of a second or more from now."""
    address, after = f"{shop}/line/{drop}/status.json", time.time() + 1

    def read() -> Any:
        document = read_json(address)
        return document if document["now"] > after else None

    return int(until(read, "a status of now")["joined"])


def join(page: Page, shop: str, drop: str) -> str:
    """Join by the drop's page; return the index."""
    page.goto(f"{shop}/drops/{drop}/")
    page.get_by_role("button", name="Join the line").click()
    expect(page.locator("#state")).to_have_attribute("data-now", "joined")
    return cookie(page, f"index-{drop}")


def cookie(page: Page, name: str) -> str:
    return {found["name"]: found["value"] for found in page.context.cookies()}.get(name, "")


def get_link(page: Page) -> str:
    """Press for the link; return it, and go back."""
    page.get_by_role("button", name="Take your place to another browser or phone").click()
    page.wait_for_url("**/link")
    return page.get_by_role("link", name="Link with your place").get_attribute("href") or ""


def test_blocked_cookies_are_said_and_take_no_index(
    shop: str, drop: str, blocked: Blocked, look: Look
) -> None:
    before = joined(shop, drop)
    page = blocked(scripts=True)
    page.goto(f"{shop}/drops/{drop}/")
    for _press in range(2):
        page.get_by_role("button", name="Join the line").click()
        notice = page.locator("[data-slot=notice]")
        expect(notice).to_contain_text("Your browser doesn't accept cookies from this site.")
        expect(notice).to_be_in_viewport(ratio=1)
        expect(page.get_by_role("button", name="Join the line")).to_be_enabled()
    look(page, "cookies blocked")

    assert page.evaluate("navigator.cookieEnabled") is False
    assert joined(shop, drop) == before


def test_blocked_cookies_are_said_without_script_and_take_no_index(
    shop: str, drop: str, blocked: Blocked
) -> None:
    before = joined(shop, drop)
    page = blocked(scripts=False)
    page.goto(f"{shop}/drops/{drop}/")
    for _press in range(3):
        page.get_by_role("button", name="Join the line").click()
        expect(page.get_by_role("heading", name="Your browser doesn't accept cookies")).to_be_visible()
        expect(page.get_by_text("or open this page in another browser.")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 390

    assert joined(shop, drop) == before


def test_cookies_that_get_lost_take_one_index(shop: str, drop: str, visit: Visit) -> None:
    before = joined(shop, drop)
    page = visit("phone")
    page.add_init_script("Object.defineProperty(Document.prototype, 'cookie', { get: () => '' })")
    page.goto(f"{shop}/drops/{drop}/")
    for _press in range(2):
        with page.expect_response("**/join") as answer:
            page.get_by_role("button", name="Join the line").click()
        assert answer.value.status == 200
        expect(page.locator("#state")).to_contain_text("Your browser doesn't accept cookies from this site.")
        page.context.clear_cookies()

    assert joined(shop, drop) == before + 1


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_place_is_taken_to_another_browser(size: str, shop: str, drop: str, visit: Visit, look: Look) -> None:
    first, second = visit(size), visit(size)
    asked: list[str] = []
    second.on("request", lambda request: asked.append(request.url))
    index = join(first, shop, drop)
    look(first, "joined, may take the place along")
    link = get_link(first)
    look(first, "link with a place")

    second.goto(link)
    expect(second.get_by_text("This link carries a place in the line.")).to_be_visible()
    assert second.url == f"{shop}/drops/{drop}/"
    expect(second.get_by_text("would be replaced")).to_be_hidden()
    look(second, "a link carries a place")
    assert cookie(second, f"ticket-{drop}") == ""
    second.get_by_role("button", name="Use this place").click()

    expect(second.locator("#state")).to_have_attribute("data-now", "joined")
    assert second.url == f"{shop}/drops/{drop}/"
    assert cookie(second, f"index-{drop}") == index
    assert cookie(second, f"ticket-{drop}") == cookie(first, f"ticket-{drop}")
    ticket = link.partition("#ticket=")[2]
    assert [url for url in asked if ticket in url.partition("#")[0]] == []


def test_browser_with_a_place_is_asked(shop: str, drop: str, visit: Visit, look: Look) -> None:
    first, second = visit("phone"), visit("phone")
    join(first, shop, drop)
    own = join(second, shop, drop)
    link = get_link(first)

    second.goto(link)
    expect(second.get_by_text("The place that this browser has would be replaced.")).to_be_visible()
    look(second, "a link would replace a place")
    second.get_by_role("button", name="Cancel").click()
    expect(second.get_by_text("This link carries a place in the line.")).to_be_hidden()
    second.reload()
    expect(second.locator("#state")).to_have_attribute("data-now", "joined")
    assert cookie(second, f"index-{drop}") == own

    second.goto(link)  # the same document: only its fragment changes
    second.get_by_role("button", name="Use this place").click()
    expect(second.locator("#state")).to_have_attribute("data-now", "joined")
    assert cookie(second, f"ticket-{drop}") == cookie(first, f"ticket-{drop}")


def test_own_link_asks_nothing(shop: str, drop: str, visit: Visit) -> None:
    page = visit("phone")
    join(page, shop, drop)
    link = get_link(page)

    page.goto(link)

    expect(page.locator("#state")).to_have_attribute("data-now", "joined")
    page.wait_for_function("location.hash === ''")
    expect(page.get_by_text("This link carries a place in the line.")).to_be_hidden()


def test_place_is_taken_along_without_script(shop: str, drop: str, visit: Visit) -> None:
    first, second = (visit("phone", java_script_enabled=False) for _ in range(2))
    for page in (first, second):
        page.goto(f"{shop}/drops/{drop}/")
        page.get_by_role("button", name="Join the line").click()
        page.wait_for_url(f"**/line/{drop}/")
    link = get_link(first)

    second.get_by_text("Bring a place from another browser").click()
    second.get_by_label("Link with your place").fill(link)
    second.get_by_role("button", name="Use this place").click()
    expect(second.get_by_role("heading", name="Replace the place that this browser has?")).to_be_visible()
    assert second.evaluate("document.documentElement.scrollWidth") <= 390
    second.get_by_role("button", name="Replace it").click()

    second.wait_for_url(f"**/line/{drop}/")
    assert cookie(second, f"ticket-{drop}") == cookie(first, f"ticket-{drop}")


def test_visit_renews_the_ticket_and_forgets_an_index_of_none(shop: str, drop: str, visit: Visit) -> None:
    page = visit("phone")
    join(page, shop, drop)
    state = page.locator("#state")
    requests: list[Any] = []
    page.on("request", lambda request: requests.append(request) if request.url.endswith("/renew") else None)
    page.evaluate("localStorage.clear()")
    with page.expect_response("**/renew") as renewed:
        page.reload()
    assert renewed.value.status == 200
    page.wait_for_function(f"localStorage.getItem('renewed-{drop}')")
    page.reload()
    expect(state).to_have_attribute("data-now", "joined")
    assert len(requests) == 1  # not again within half a day

    page.context.clear_cookies(name=f"ticket-{drop}")
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(state).to_have_attribute("data-now", "lobby")
    expect(page.get_by_role("button", name="Join the line")).to_be_visible()


def test_one_ticket_is_one_hold_in_two_browsers(shop: str, inside: Inside, visit: Visit) -> None:
    slug = announced(inside, opens_in=3, lobby_before=2)
    wait_for("live", shop=shop, slug=slug)
    first, second = visit("phone"), visit("phone")
    first.goto(f"{shop}/drops/{slug}/")
    first.get_by_role("button", name="Join the line").click()
    expect(first.locator("#state")).to_have_attribute("data-now", re.compile("waiting|turn"))
    second.goto(get_link(first))
    second.get_by_role("button", name="Use this place").click()
    for page in (first, second):
        page.goto(f"{shop}/drops/{slug}/")
        page.get_by_role("button", name="Enter the drop").click()
        page.wait_for_url("**/pick/")
    held = []
    for page in (first, second):
        page.get_by_role("button", name="Hold one").click()
        page.wait_for_url("**/holds/*/")
        held.append(page.url)

    assert held[0] == held[1]
