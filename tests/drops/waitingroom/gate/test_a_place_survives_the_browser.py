"""A place survives the browser: cookies that don't come back, a ticket taken elsewhere, a long lobby."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
import segno
from redis import Redis

from drops.waitingroom.gate import carrying
from drops.waitingroom.protocol import keys, places, tickets
from drops.waitingroom.protocol.tickets import Keyring, Ticket
from tests.drops.waitingroom.gate.conftest import JSON, ORIGIN, OURS, Caller, Reply, called

HTML = {"accept": "text/html,application/xhtml+xml"}
FORM = HTML | {"content-type": "application/x-www-form-urlencoded"}
RING = Keyring.parse("t1:" + "11" * 32)
OWN, OTHER = Ticket(bytes(16), 3), Ticket(bytes(range(16)), 7)
WEEK = "Path=/; Max-Age=604800; SameSite=Lax"
KEY = "c" * 32


def value(ticket: Ticket, slug: str = "x", ring: Keyring = RING) -> str:
    return tickets.sign_ticket(ticket, slug, ring)


def counter(server: Redis) -> int:
    return int(server.hget(keys.state("x"), "counter") or 0)


class Browser:
    """A browser without scripts: keeps cookies, if it does, and follows redirects as browsers do."""

    def __init__(self, gate: Caller, *, keeps_cookies: bool = True) -> None:
        self.gate, self.keeps_cookies = gate, keeps_cookies
        self.cookies: dict[str, str] = {}
        self.visited: list[str] = []

    def send(self, method: str, path: str, body: bytes = b"") -> Reply:
        where, _, query = path.partition("?")
        self.visited.append(path)
        cookies = "; ".join(f"{name}={text}" for name, text in self.cookies.items())
        headers = FORM | OURS if method == "POST" else HTML
        reply = self.gate.run(self.gate.ask(method, where, headers, body, cookies, query=query.encode()))
        if self.keeps_cookies:
            self.cookies |= reply.cookies
        if reply.status == 307:
            return self.send(method, reply.headers["location"], body)
        if reply.status == 303 and reply.headers["location"].startswith("/line/"):
            return self.send("GET", reply.headers["location"])
        return reply

    def press(self, page: Reply) -> Reply:
        """Press the button that joins."""
        fields = dict(re.findall(r'name="(key)" value="(\w+)"', page.body))
        return self.send("POST", "/line/x/join", urlencode(fields).encode())


class TestCookiesThatDoNotComeBack:
    """The gate notices, says how to go on, and takes no index for a place that nobody could keep."""

    def test_says_how_to_go_on_and_takes_no_index(self, gate: Caller, lobby: Redis) -> None:
        browser = Browser(gate, keeps_cookies=False)
        page = browser.send("GET", "/line/x/")

        for _press in range(3):
            page = browser.press(page)
            assert page.status == 409
            assert "Your browser doesn't accept cookies from this site." in unescape(page.body)
            assert "or open this page in another browser." in page.body
            assert "Nothing was charged." in page.body
            assert "Join the line" in page.body
        assert counter(lobby) == 0

    def test_same_press_joins_once_the_cookies_are_allowed(self, gate: Caller, lobby: Redis) -> None:
        browser = Browser(gate, keeps_cookies=False)
        refused = browser.press(browser.send("GET", "/line/x/"))
        browser.keeps_cookies = True

        joined = browser.press(refused)

        assert joined.status == 200
        assert browser.cookies["index-x"] == "0"
        assert "Join the line" not in joined.body

    @pytest.mark.parametrize("first", ["/line/x/", ""])  # the drop's own page is public and sets no cookie
    def test_press_joins_in_a_browser_that_keeps_them(self, gate: Caller, lobby: Redis, first: str) -> None:
        browser = Browser(gate)
        if first:
            browser.send("GET", first)

        joined = browser.send("POST", "/line/x/join")

        assert (joined.status, browser.cookies["index-x"], counter(lobby)) == (200, "0", 1)

    def test_presses_of_one_browser_take_one_index_whatever_got_lost(
        self, gate: Caller, lobby: Redis
    ) -> None:
        browser = Browser(gate)
        page = browser.send("GET", "/line/x/")
        browser.press(page)
        for name in ("ticket-x", "index-x"):  # the answer never arrived
            del browser.cookies[name]

        again = browser.press(browser.send("GET", "/line/x/"))

        assert (again.status, browser.cookies["index-x"], counter(lobby)) == (200, "0", 1)

    def test_two_browsers_take_two(self, gate: Caller, lobby: Redis) -> None:
        browsers = [Browser(gate), Browser(gate)]
        for browser in browsers:
            browser.press(browser.send("GET", "/line/x/"))

        assert [browser.cookies["index-x"] for browser in browsers] == ["0", "1"]

    @pytest.mark.parametrize("kept", ["", "x", "C" * 32, "c" * 31])
    def test_key_that_is_none_is_not_used(self, gate: Caller, lobby: Redis, kept: str) -> None:
        reply = gate.post("/line/x/join", HTML, cookies=f"key-x={kept}")

        assert (reply.status, reply.headers["location"]) == (307, "/line/x/join?again")
        assert re.fullmatch("[0-9a-f]{32}", reply.cookies["key-x"])
        assert counter(lobby) == 0

    def test_key_is_in_no_address(self, gate: Caller, lobby: Redis) -> None:
        browser = Browser(gate)
        browser.press(browser.send("GET", "/line/x/"))

        assert browser.cookies["key-x"] not in "".join(browser.visited)

    def test_taking_a_place_notices_it_too(self, gate: Caller, lobby: Redis) -> None:
        browser = Browser(gate, keeps_cookies=False)

        page = browser.send("POST", "/line/x/take", urlencode({"ticket": value(OTHER)}).encode())

        assert page.status == 409
        assert "Your browser doesn't accept cookies from this site." in unescape(page.body)

    def test_scripts_are_not_sent_twice(self, gate: Caller, lobby: Redis) -> None:
        assert gate.join().json == {"index": 0}


class TestTicketIsRenewed:
    """Each visit gives the ticket another week, signed by the newest key."""

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/line/x/"),
            ("POST", "/line/x/join"),
            ("POST", "/line/x/renew"),
            ("POST", "/line/x/link"),
        ],
    )
    def test_visit_renews_it(self, gate: Caller, lobby: Redis, method: str, path: str) -> None:
        reply = gate.run(gate.ask(method, path, HTML | OURS, cookies=f"ticket-x={value(OWN)}"))

        assert reply.set_cookies == [f"ticket-x={value(OWN)}; {WEEK}; HttpOnly", f"index-x=3; {WEEK}"]

    def test_visit_signs_it_by_the_newest_key(
        self, environment: pytest.MonkeyPatch, caller: Caller, lobby: Redis
    ) -> None:
        newest = "t2:" + "44" * 32
        environment.setenv("TICKET_KEYS", f"{newest},t1:{'11' * 32}")
        caller.start()

        reply = caller.post("/line/x/renew", JSON, cookies=f"ticket-x={value(OWN)}")
        caller.stop()

        assert tickets.read_ticket(reply.cookies["ticket-x"], "x", Keyring.parse(newest)) == OWN

    @pytest.mark.parametrize(
        "cookie", ["", f"ticket-x={value(OWN, 'y')}", "ticket-x=1.t1.AAAA.AAAA", f"ticket-y={value(OWN)}"]
    )
    @pytest.mark.parametrize("action", ["renew", "enter", "link"])
    def test_index_of_no_ticket_is_forgotten(
        self, gate: Caller, lobby: Redis, cookie: str, action: str
    ) -> None:
        reply = gate.post(f"/line/x/{action}", JSON, cookies=f"index-x=3; {cookie}")

        assert reply.status == 403
        assert [line.split("; ")[0:3] for line in reply.set_cookies] == [["index-x=", "Path=/", "Max-Age=0"]]

    def test_visit_without_a_ticket_is_given_none(self, gate: Caller, lobby: Redis) -> None:
        assert set(gate.get("/line/x/").cookies) == {"key-x"}


class TestLinkThatCarriesThePlace:
    """The ticket's owner, and nobody else, gets it in the fragment of a link and in a QR code."""

    LINK = f"{ORIGIN}/drops/x/#ticket={value(OWN)}"

    def test_owner_gets_a_page_with_link_and_code(self, gate: Caller, lobby: Redis) -> None:
        reply = gate.post("/line/x/link", HTML, cookies=f"ticket-x={value(OWN)}")

        assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
        assert reply.headers["referrer-policy"] == "same-origin"
        assert f'href="{self.LINK}"' in reply.body
        assert carrying.draw_qr(self.LINK) in reply.body
        assert "Keep the link to yourself." in reply.body
        assert not re.search(r"\sstyle=|<script|\son\w+=", reply.body)

    def test_script_gets_the_link(self, gate: Caller, lobby: Redis) -> None:
        reply = gate.post("/line/x/link", JSON, cookies=f"ticket-x={value(OWN)}")

        assert (reply.json, reply.headers["cache-control"]) == ({"link": self.LINK}, "no-store")

    @pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "none"}, {}])
    @pytest.mark.parametrize("action", ["link", "take", "renew"])
    def test_other_sites_get_nothing(
        self, gate: Caller, lobby: Redis, action: str, headers: dict[str, str]
    ) -> None:
        body = urlencode({"ticket": value(OTHER)}).encode()
        cookies = f"ticket-x={value(OWN)}"

        reply = gate.run(gate.ask("POST", f"/line/x/{action}", FORM | headers, body, cookies))

        assert (reply.status, reply.set_cookies) == (403, [])
        assert value(OWN) not in reply.body

    @pytest.mark.parametrize("action", ["link", "take", "renew"])
    def test_address_alone_gives_nothing(self, gate: Caller, lobby: Redis, action: str) -> None:
        reply = gate.get(f"/line/x/{action}", HTML, cookies=f"ticket-x={value(OWN)}")

        assert (reply.status, reply.headers["location"], reply.set_cookies) == (303, "/line/x/", [])

    def test_code_is_that_of_the_link(self) -> None:
        path = re.search(r' d="(M4 4\.5[^"]+)"', carrying.draw_qr(self.LINK))
        drawn = segno.make(self.LINK, micro=False, error="m", mask=carrying.QR_MASK, boost_error=False)

        assert path is not None
        assert sum(map(sum, drawn.matrix)) == sum(int(length) for length in re.findall(r"h(\d+)", path[1]))

    def test_links_of_the_longest_slug_fit(self) -> None:
        assert "<svg" in carrying.draw_qr(f"https://{'a' * 60}.example/drops/{'b' * 50}/#ticket={value(OWN)}")


class TestPlaceThatALinkCarries:
    """Another browser takes the same ticket. One that is there is replaced only after a question."""

    def take(self, gate: Caller, cookies: str = f"key-x={KEY}", **fields: str) -> Reply:
        return gate.post("/line/x/take", FORM, urlencode(fields).encode(), cookies=cookies)

    @pytest.mark.parametrize(
        "text",
        [
            value(OTHER),
            f"#ticket={value(OTHER)}",
            f"https://shop.test/drops/x/#ticket={value(OTHER)}",
            f"  https://shop.test/de/drops/x/#ticket={value(OTHER)}\n",
        ],
    )
    @pytest.mark.parametrize(
        ("to", "where"), [("", "/line/x/"), ("drop", "/drops/x/"), ("//evil", "/line/x/")]
    )
    def test_browser_without_a_ticket_gets_it(
        self, gate: Caller, lobby: Redis, text: str, to: str, where: str
    ) -> None:
        reply = self.take(gate, ticket=text, to=to)

        assert (reply.status, reply.headers["location"]) == (303, where)
        assert reply.set_cookies == [f"ticket-x={value(OTHER)}; {WEEK}; HttpOnly", f"index-x=7; {WEEK}"]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "x",
            "https://shop.test/drops/x/",
            value(OTHER, "y"),
            value(OTHER, ring=Keyring.parse("t0:" + "33" * 32)),
            value(OTHER)[:-1],
            value(OTHER) * 9,
            "\udc80",
        ],
    )
    def test_other_texts_are_refused(self, gate: Caller, lobby: Redis, text: str) -> None:
        body = urlencode({"ticket": text.encode("utf-8", "surrogateescape")}).encode()
        reply = gate.post("/line/x/take", FORM, body, cookies=f"ticket-x={value(OWN)}")

        assert (reply.status, reply.set_cookies) == (422, [])
        assert "That link carries no place in this line." in reply.body

    @pytest.mark.parametrize("replace", ["", "7", "03", "4", "yes"])
    def test_ticket_that_is_there_is_not_replaced_unasked(
        self, gate: Caller, lobby: Redis, replace: str
    ) -> None:
        reply = self.take(gate, f"ticket-x={value(OWN)}", ticket=value(OTHER), replace=replace, to="drop")

        assert (reply.status, reply.set_cookies) == (409, [])
        assert "Replace the place that this browser has?" in reply.body
        assert dict(re.findall(r'name="(\w+)" value="([^"]*)"', reply.body)) == {
            "ticket": value(OTHER),
            "replace": "3",
            "to": "drop",
        }

    def test_ticket_that_is_there_is_replaced_once_that_was_asked(self, gate: Caller, lobby: Redis) -> None:
        reply = self.take(gate, f"ticket-x={value(OWN)}; pass-x=1", ticket=value(OTHER), replace="3")

        assert reply.status == 303
        assert reply.cookies == {"ticket-x": value(OTHER), "index-x": "7", "pass-x": ""}

    def test_script_is_told_that_there_is_one(self, gate: Caller, lobby: Redis) -> None:
        body = urlencode({"ticket": value(OTHER)}).encode()

        reply = gate.post("/line/x/take", FORM | JSON, body, cookies=f"ticket-x={value(OWN)}")

        assert (reply.status, reply.json["index"], reply.set_cookies) == (409, 3, [])

    def test_question_names_both_places_once_they_are_drawn(self, gate: Caller, lobby: Redis) -> None:
        called(lobby, n=10, cursor=0, allowance=0)
        here, there = (1 + places.place(bytes(32), ticket.index, 10) for ticket in (OWN, OTHER))

        reply = self.take(gate, f"ticket-x={value(OWN)}", ticket=value(OTHER))

        assert f"The place here is {here}, that of the link {there}." in reply.body

    def test_same_ticket_asks_nothing(self, gate: Caller, lobby: Redis) -> None:
        reply = self.take(gate, f"ticket-x={value(OWN)}", ticket=value(OWN))

        assert (reply.status, reply.cookies) == (303, {"ticket-x": value(OWN), "index-x": "3"})

    def test_ticket_with_the_same_index_is_another_one(self, gate: Caller, lobby: Redis) -> None:
        reply = self.take(gate, f"ticket-x={value(OWN)}", ticket=value(Ticket(OTHER.id, OWN.index)))

        assert (reply.status, reply.set_cookies) == (409, [])

    def test_ticket_of_two_browsers_enters_once(self, gate: Caller, lobby: Redis) -> None:
        called(lobby, n=10, cursor=10, allowance=5)
        taken = self.take(gate, ticket=value(OTHER)).cookies["ticket-x"]

        passes = [gate.enter(ticket).cookies["pass-x"] for ticket in (value(OTHER), taken)]

        assert passes[0] == passes[1]
        assert lobby.hget(keys.state("x"), "entered") == b"1"


@pytest.mark.parametrize(("phase", "shown"), [("lobby", True), ("live", True), ("closed", False)])
@pytest.mark.parametrize("joined", [True, False])
def test_line_offers_both_ways_until_the_drop_is_over(
    gate: Caller, lobby: Redis, phase: str, shown: bool, joined: bool
) -> None:
    if phase != "lobby":
        called(lobby, n=0, cursor=0, allowance=0, phase=phase)

    page = gate.get("/line/x/", HTML, cookies=f"ticket-x={value(OWN)}" if joined else "")

    assert ("Take your place to another browser or phone" in page.body) is (shown and joined)
    assert ("Bring a place from another browser" in page.body) is shown
