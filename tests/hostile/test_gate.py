"""Every route of the gate has a fitting page for whatever a stranger sends, and never a 5xx."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from urllib.parse import unquote_to_bytes

import pytest
from redis import Redis

from drops.waitingroom.gate import app as gate_app
from drops.waitingroom.gate.http import Message, Scope
from drops.waitingroom.protocol import config, keys, tickets
from tests.drops.waitingroom.gate.conftest import Caller, called, now_document
from tests.drops.waitingroom.protocol.servers import adopt
from tests.hostile.values import HostileRequest, Values

# What it runs, other tests run too: measuring it again would only take longer.
pytestmark = pytest.mark.no_cover

CASES = 200
SLUG = b"x"
ORIGIN = "http://shop.test"
KEY = b"a" * 32
TYPES = re.compile("text/html|application/(problem[+])?json")


@dataclass(frozen=True)
class Route:
    """What an endpoint reads."""

    method: str = "GET"
    form: tuple[bytes, ...] = ()
    headers: tuple[str, ...] = ()


# A new route needs a line here, which names every field that it reads. All of them read cookies.
ROUTES = {
    "/line/healthz": Route(),
    "/line/x/": Route(),
    "/line/x/status.json": Route(),
    "/line/x/join": Route("POST", form=(b"key",), headers=("X-Client-Key",)),
    "/line/x/enter": Route("POST"),
    "/line/x/link": Route("POST"),
    "/line/x/take": Route("POST", form=(b"ticket", b"replace", b"to")),
    "/line/x/renew": Route("POST"),
}


def test_every_route_has_a_case() -> None:
    assert {f"/line/x/{action}" for action in gate_app.ENDPOINTS} | {"/line/healthz"} == set(ROUTES)


@dataclass
class Reply:
    status: int
    kind: str


@dataclass
class Door:
    """A running gate, and the ticket of a shopper whose place is called."""

    caller: Caller
    ticket: bytes

    def request(self, path: str, route: Route) -> HostileRequest:
        """Return a request of the route that is right."""
        headers = {"Origin": ORIGIN.encode(), "Accept": b"text/html"}
        return HostileRequest(
            method=route.method,
            path=path.encode(),
            form=[(name, self.ticket if name == b"ticket" else KEY) for name in route.form],
            cookies=[(b"ticket-x", self.ticket), (b"key-x", KEY), (b"held-x", b"1")],
            headers=headers | dict.fromkeys(route.headers, KEY),
        )

    async def send(self, request: HostileRequest) -> Reply:
        """Call the application as its server does, which has checked the path and the headers' names."""
        headers = {"content-type": request.content_type.encode("latin-1"), **request.headers}
        headers.setdefault("Cookie", request.cookie_header())
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": request.payload(), "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        scope: Scope = {
            "type": "http",
            "method": request.method,
            "path": unquote_to_bytes(request.path).decode("utf-8", "surrogateescape"),
            "query_string": request.query_string(),
            "headers": [(name.lower().encode(), value) for name, value in headers.items()],
            "state": dict(self.caller.state),
        }
        await gate_app.app(scope, receive, send)
        return Reply(sent[0]["status"], dict(sent[0]["headers"]).get(b"content-type", b"").decode())

    async def replies(self, path: str, route: Route) -> list[tuple[HostileRequest, Reply]]:
        """Send a right request, then hostile ones."""
        values = Values(Random(path))
        found = []
        for case in range(CASES):
            request = self.request(path, route)
            if case:
                request.spoil(values, [SLUG])
            found.append((request, await self.send(request)))
        return found


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch, line_redis: Redis) -> Iterator[Door]:
    monkeypatch.setenv("DEMO", "1")
    monkeypatch.setenv("SHOP_ORIGIN", ORIGIN)
    adopt(line_redis, status=now_document())
    line_redis.sadd(keys.ANNOUNCED, "x")  # without the list, the gate can only answer 503 for other slugs
    called(line_redis, n=10, cursor=10, allowance=1_000)
    keyring = config.read(os.environ).ticket_keys
    ticket = tickets.issue("x", 3, bytes(16), keyring)
    caller = Caller()
    caller.start()
    yield Door(caller, tickets.sign_ticket(ticket, "x", keyring).encode())
    caller.stop()
    caller.end()


@pytest.mark.parametrize("path", ROUTES)
def test_route_has_a_fitting_page_for_every_hostile_request(door: Door, path: str) -> None:
    replies = door.caller.run(door.replies(path, ROUTES[path]))

    assert replies[0][1].status in {200, 303}
    for request, reply in replies:
        assert 200 <= reply.status < 500, f"{reply} {request}"[:3_000]
        assert reply.status < 400 or TYPES.match(reply.kind), f"{reply} {request}"[:3_000]
