"""A gate in this process, called as an ASGI server would: its event loop in a thread, a Redis of its own."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from http.cookies import SimpleCookie
from time import time
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import pytest
from redis import Redis

from drops.waitingroom.gate.app import app
from drops.waitingroom.gate.cache import CachedDrop
from drops.waitingroom.gate.context import GateContext
from drops.waitingroom.gate.http import Message, Scope
from drops.waitingroom.gate.times import shop_zone
from drops.waitingroom.protocol import lua, status
from tests.drops.waitingroom.protocol.conftest import forgetful, mortal, server, shared_server  # fixtures
from tests.drops.waitingroom.protocol.servers import SECONDS, RedisServer, adopt, document
from tests.servers import until

__all__ = ["forgetful", "mortal", "server", "shared_server"]

T = TypeVar("T")
ORIGIN = "http://shop.test"
JSON = {"accept": "application/json"}
OURS = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def in_utc() -> None:
    """Show times in UTC, also after a gate in this process has started with a shop's zone."""
    shop_zone.activate(ZoneInfo("UTC"))


@dataclass(frozen=True)
class Reply:
    """A response. Header names are in lower case; `cookies` are the values that it sets."""

    status: int
    headers: Mapping[str, str]
    set_cookies: list[str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cookies(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in self.set_cookies:
            found |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
        return found


class Caller:
    """An ASGI server for one application: its lifespan, and requests one by one or many at once."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.state: dict[str, Any] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.later(work).result(SECONDS)

    def later(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    @property
    def gate(self) -> GateContext:
        found: GateContext = self.state["gate"]
        return found

    def start(self) -> Message:
        """Start the application; return what it sends."""

        async def begin() -> Message:
            self.orders: asyncio.Queue[Message] = asyncio.Queue()
            self.news: asyncio.Queue[Message] = asyncio.Queue()
            scope: Scope = {"type": "lifespan", "state": self.state}
            self.life = asyncio.create_task(app(scope, self.orders.get, self.news.put))
            await self.orders.put({"type": "lifespan.startup"})
            return await self.news.get()

        return self.run(begin())

    def stop(self) -> None:
        async def end() -> None:
            if not self.life.done():
                await self.orders.put({"type": "lifespan.shutdown"})
            await self.life

        self.run(end())

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(SECONDS)
        self.loop.close()

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        cookies: str = "",
        *,
        query: bytes = b"",
    ) -> Reply:
        """One request; a body is sent in pieces of 1,000 bytes."""
        pieces = [body[at : at + 1000] for at in range(0, len(body), 1000)] or [b""]
        sent: list[Message] = []
        given = {**(headers or {}), **({"cookie": cookies} if cookies else {})}

        async def receive() -> Message:
            piece = pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

        async def send(message: Message) -> None:
            sent.append(message)

        raw = [(name.lower().encode(), value.encode()) for name, value in given.items()]
        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": raw,
            "state": dict(self.state),
        }
        await app(scope, receive, send)
        start, end = sent
        lines = [(name.decode(), value.decode()) for name, value in start["headers"]]
        return Reply(
            status=start["status"],
            headers={name: value for name, value in lines if name != "set-cookie"},
            set_cookies=[value for name, value in lines if name == "set-cookie"],
            body=end["body"].decode(),
        )

    def get(self, path: str, headers: Mapping[str, str] | None = None, cookies: str = "") -> Reply:
        return self.run(self.ask("GET", path, headers, cookies=cookies))

    def post(
        self, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"", cookies: str = ""
    ) -> Reply:
        """A post from a page of the shop."""
        return self.run(self.ask("POST", path, {**OURS, **(headers or {})}, body, cookies))

    def join(self, client: str = "a" * 32) -> Reply:
        """A join of drop x by script."""
        return self.post("/line/x/join", JSON | {"x-client-key": client})

    def enter(self, ticket: str) -> Reply:
        """An enter of drop x by script."""
        return self.post("/line/x/enter", JSON, cookies=f"ticket-x={ticket}")

    def sees(self, condition: Callable[[CachedDrop], object]) -> None:
        """Wait until the gate's copy of drop x meets a condition."""
        until(lambda: (drop := self.gate.cache.drops.get("x")) and condition(drop), "the gate's copy")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, shared_server: RedisServer) -> pytest.MonkeyPatch:
    """The gate's variables, of a demo over plain http."""
    variables = {
        "DEMO": "1",
        "SHOP_ORIGIN": ORIGIN,
        "SHOP_NAME": "Testsite",
        "LINE_REDIS_URL": shared_server.url,
        "TICKET_KEYS": "t1:" + "11" * 32,
        "PASS_KEYS": "p1:" + "22" * 32,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def caller() -> Iterator[Caller]:
    """An application that has not been started."""
    found = Caller()
    yield found
    found.end()


@pytest.fixture
def gate(server: Redis, environment: pytest.MonkeyPatch, caller: Caller) -> Iterator[Caller]:
    """A running gate on an empty Redis."""
    assert caller.start() == {"type": "lifespan.startup.complete"}
    yield caller
    caller.stop()


def now_document(**changed: object) -> str:
    """Return a status document of this moment, as the server stores it."""
    now = time()
    times = {"now": now, "lobby_opens": now - 60, "opens": now + 60}
    return status.encode(document(**(times | changed)))


@pytest.fixture
def lobby(server: Redis) -> Redis:
    """Drop x with its lobby open."""
    theme = {
        "title": "0 <kg>",
        "ground": "#bcddf4",
        "ink": "#0e1a22",
        "signal": "#0b3bd6",
        "face": "archivo-black",
    }
    adopt(server, theme=theme, status=now_document())
    return server


def called(
    server: Redis, *, n: int, cursor: int, allowance: int, seed: bytes = bytes(32), **changed: Any
) -> None:
    """Seal the lobby of drop x and call the places below `cursor`."""
    doc = {"phase": "live", "sealed": n, "cursor": cursor, "pace": 2.0} | changed
    lua.publish(
        server,
        "x",
        term=1,
        limit=0,
        cursor=cursor,
        allowance=allowance,
        paused=doc["phase"] == "paused",
        closed=doc["phase"] == "closed",
        status=now_document(**doc),
        seal=lua.Seal(n, seed),
    )
