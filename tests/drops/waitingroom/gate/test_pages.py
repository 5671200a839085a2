import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
from redis import Redis

from drops.waitingroom.gate import pages
from drops.waitingroom.protocol import tickets
from drops.waitingroom.protocol.tickets import Keyring, Ticket
from tests.drops.waitingroom.gate.conftest import Caller, Reply, called, now_document
from tests.drops.waitingroom.protocol.servers import adopt
from tests.servers import until

RING = Keyring.parse("t1:" + "11" * 32)
HTML = {"accept": "text/html"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
VOID = {"meta", "link", "input"}
BRONZE = [{"sku": "B&Z", "band": "in", "free": 1, "held": 0}]


class Shape(HTMLParser):
    """Collects the tags of a page, and fails where they don't close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def test_line_without_a_ticket_offers_a_form_with_a_fresh_client_key(gate: Caller, lobby: Redis) -> None:
    first, second = Shape(gate.get("/line/x/").body), Shape(gate.get("/line/x/").body)
    keys = [shape.all("input")[0]["value"] for shape in (first, second)]

    assert first.all("form")[0] == {"method": "post", "action": "/line/x/join"}
    assert all(re.fullmatch("[0-9a-f]{32}", key or "") for key in keys)
    assert keys[0] != keys[1]


def test_line_is_a_whole_private_page_that_reloads_itself(gate: Caller, lobby: Redis) -> None:
    reply = gate.get("/line/x/", cookies=f"ticket-x={tickets.sign_ticket(Ticket(bytes(16), 0), 'x', RING)}")
    shape = Shape(reply.body)

    assert (reply.status, reply.headers["cache-control"], reply.headers["refresh"]) == (200, "no-store", "30")
    assert shape.all("html") == [{"lang": "en"}]
    assert "<title>The line for 0 &lt;kg&gt; · Testsite</title>" in reply.body
    assert {"name": "robots", "content": "noindex"} in shape.all("meta")
    assert [form["action"] for form in shape.all("form")] == ["/line/x/link", "/line/x/take"]
    assert shape.all("script") == []
    assert len(reply.body) < 4000


def test_line_allows_no_style_but_the_drop_s_own(gate: Caller, lobby: Redis) -> None:
    reply = gate.get("/line/x/")
    (style,) = re.findall("<style>(.*?)</style>", reply.body)
    digest = b64encode(sha256(style.encode()).digest()).decode()

    assert style == (
        ':root{--ground:#bcddf4;--ink:#0e1a22;--signal:#0b3bd6;--face:"Archivo Black",var(--text);'
        "--heavy:400;color-scheme:light}"
    )
    assert reply.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'self' 'sha256-{digest}'; font-src 'self'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )


def test_line_shows_the_place_and_what_is_left(gate: Caller, lobby: Redis) -> None:
    called(lobby, n=0, cursor=0, allowance=0, editions=BRONZE)
    reply = gate.get(
        "/line/x/", cookies=f"ticket-x={tickets.sign_ticket(Ticket(bytes(16), 2416), 'x', RING)}"
    )

    assert '<p class="count chars-5"><span class="visually-hidden">Your place </span>2,417</p>' in reply.body
    assert "<span>B&amp;Z</span><span>Available</span>" in reply.body
    again = f"This page reloads in {reply.headers['refresh']} s."
    assert f"You can close this page. Your place is kept. {again}" in reply.body
    Shape(reply.body)


def test_line_offers_to_enter_when_the_place_is_called(gate: Caller, lobby: Redis) -> None:
    called(lobby, n=0, cursor=1, allowance=1)
    reply = gate.get("/line/x/", cookies=f"ticket-x={tickets.sign_ticket(Ticket(bytes(16), 0), 'x', RING)}")

    assert Shape(reply.body).all("form")[0] == {"method": "post", "action": "/line/x/enter"}
    assert "refresh" not in reply.headers


def test_line_ignores_a_forged_ticket(gate: Caller, lobby: Redis) -> None:
    assert "Join the line" in gate.get("/line/x/", cookies="ticket-x=1.t1.AAAA.AAAA").body


def test_line_of_an_unknown_drop_is_unavailable(gate: Caller) -> None:
    reply = gate.get("/line/x/", HTML)

    assert (reply.status, reply.headers["retry-after"], reply.headers["refresh"]) == (
        503,
        "2",
        "2; url=/line/x/",
    )
    assert "Your place is kept. Trying again in 2 s." in reply.body
    Shape(reply.body)


def test_a_failed_join_by_form_offers_the_same_join_again(gate: Caller, server: Redis) -> None:
    kept = f"key-x={'a' * 32}"
    refused = gate.post("/line/x/join", HTML | FORM, cookies=kept)
    adopt(server)
    shape = Shape(refused.body)
    again = {str(field["name"]): field["value"] for field in shape.all("input")}

    def join() -> Reply | None:
        reply = gate.post("/line/x/join", HTML | FORM, urlencode(again).encode(), cookies=kept)
        return reply if reply.status == 303 else None

    joined = until(join, "the join")
    assert joined is not None

    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert "refresh" not in refused.headers  # it waits for a press of the button
    assert "You&#x27;re not in the line yet. Press the button again." in refused.body
    assert shape.all("form") == [{"method": "post", "action": "/line/x/join"}]
    assert again == {"key": "a" * 32}
    assert joined.cookies["index-x"] == "0"


def test_head_returns_the_same_headers_without_the_page(gate: Caller, lobby: Redis) -> None:
    body = gate.get("/line/x/").body
    reply = gate.run(gate.ask("HEAD", "/line/x/"))

    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, "", str(len(body.encode())))


def test_static_files_have_hashed_names_once_a_release_has_written_them(
    environment: pytest.MonkeyPatch, caller: Caller, lobby: Redis, tmp_path: Path
) -> None:
    environment.setenv("STATIC_ROOT", str(tmp_path))
    caller.start()
    before = caller.get("/line/x/").body
    (tmp_path / "staticfiles.json").write_text(json.dumps({"paths": {"shop/site.css": "shop/site.0123.css"}}))
    after = caller.get("/line/x/").body
    caller.stop()

    assert 'href="/static/shop/site.css"' in before
    assert 'href="/static/shop/site.0123.css"' in after


@pytest.mark.parametrize(
    "look",
    [
        {},
        {"ground": "#fff", "ink": "#000000", "signal": "#000000"},
        {"ground": "#ffffff}</style>", "ink": "#000000", "signal": "#000000"},
    ],
)
def test_css_is_empty_unless_all_colours_are_valid(look: dict[str, str]) -> None:
    assert pages.css(look) == ""


def test_css_recognises_a_dark_ground() -> None:
    css = pages.css({"ground": "#434a52", "ink": "#f4f1e8", "signal": "#ffc20a", "face": "overpass"})

    assert css.endswith(':"Overpass",var(--text);--heavy:700;color-scheme:dark}'[1:])


def test_a_drop_without_a_theme_has_the_shop_s_own(gate: Caller, server: Redis) -> None:
    adopt(server, status=now_document())

    until(lambda: '<h1 class="name">x</h1>' in gate.get("/line/x/").body, "the page")
