"""A stand-in for a cloud: a real HTTP server with fleets that converge to the size that was applied.

Nothing in it happens by the clock: `cloud.converge()` moves every fleet towards its size. Faults can be set.
`StandIn` is the provider that calls it; `make_target` makes a fleet and its target.
"""

import http.client
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from drops.scaling.models import FixedGroup, Group, Step, Target
from drops.scaling.providers import PROVIDERS, Applied, ApplyRefused, Field, OutcomeUnclear, Provider, Reading
from drops.scaling.providers.base import State
from tests.factories import make_drop

SERIAL = count(1)
TIMEOUT_SECONDS = 5.0  # of a call, unless a fault makes it hang


class Crash(BaseException):
    """The process died here. Nothing in the product catches it."""


@dataclass
class Fleet:
    """One fleet in the cloud: `wanted` is what is controlled, and `serving` follows it."""

    wanted: int
    serving: int
    coming: list[int] = field(default_factory=list)  # sizes that were accepted and take effect late


@dataclass
class Effect:
    """A change of a fleet's `wanted`, made by a call."""

    name: str
    before: int
    after: int
    key: str


@dataclass
class Cloud:
    """What a test reads and sets. Faults are by fleet, and stay until they are removed.

    refuse (quota), throttle, error (5xx), garbage, hang (never answers), lost (takes effect, doesn't answer),
    lie (accepts, does nothing), late (accepts, takes effect at the next converge)
    """

    fleets: dict[str, Fleet] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    applied: list[tuple[str, int, str]] = field(default_factory=list)
    quota: int = 1000
    crash: str = ""  # "before" or "after" the next call that applies a size
    url: str = ""
    hung: threading.Event = field(default_factory=threading.Event)
    meeting: threading.Barrier | None = None  # of reads: none gets an answer before all have arrived
    halt: tuple[str, threading.Event, threading.Event] | None = (
        None  # method, reached, go on: the next such call waits
    )

    def add(self, name: str, size: int = 2) -> Fleet:
        self.fleets[name] = Fleet(wanted=size, serving=size)
        return self.fleets[name]

    def set_wanted(self, name: str, size: int, key: str) -> None:
        fleet = self.fleets[name]
        if fleet.wanted != size:
            self.effects.append(Effect(name, fleet.wanted, size, key))
            fleet.wanted = size

    def converge(self, steps: int = 1000) -> None:
        """Move every fleet towards its size, by so many instances."""
        for name, fleet in self.fleets.items():
            for size in fleet.coming:
                self.set_wanted(name, size, "late")
            fleet.coming.clear()
            distance = fleet.wanted - fleet.serving
            fleet.serving += max(-steps, min(steps, distance))

    def answer(self, method: str, path: str, body: dict[str, Any], key: str) -> tuple[int, bytes]:
        if self.halt and self.halt[0] == method:
            (_method, reached, go_on), self.halt = self.halt, None
            reached.set()
            go_on.wait(TIMEOUT_SECONDS)
        if self.meeting and method == "GET":
            self.meeting.wait(TIMEOUT_SECONDS)
        name = path.rpartition("/")[2]
        fault = self.faults.get(name, "")
        if fault == "hang":
            self.hung.wait()
            return 500, b""
        if fault in {"throttle", "error", "garbage"}:
            return {"throttle": (429, b"slow down"), "error": (503, b"oops"), "garbage": (200, b"<html>")}[
                fault
            ]
        if name not in self.fleets:
            return 404, b"no such fleet"
        fleet = self.fleets[name]
        if method == "PUT":
            size = int(body["wanted"])
            self.applied.append((name, size, key))
            if fault == "refuse" or size > self.quota:
                return 403, b"quota"
            if fault == "late":
                fleet.coming.append(size)
            elif fault != "lie":
                fleet.coming.clear()
                self.set_wanted(name, size, key)
            if fault == "lost":
                return 0, b""
        return 200, json.dumps({"wanted": fleet.wanted, "serving": fleet.serving}).encode()


class Handler(BaseHTTPRequestHandler):
    cloud: ClassVar[Cloud]

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        status, said = self.cloud.answer(
            self.command, self.path, body, self.headers.get("Idempotency-Key", "")
        )
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_PUT = do_GET  # noqa: N815 the name that http.server looks for

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


class StandIn(Provider):
    """A fleet of the stand-in cloud."""

    name = "stand-in"
    unit = "instances"
    fields: ClassVar[tuple[Field, ...]] = ()
    lead_seconds = 10
    cloud: ClassVar[Cloud]

    @classmethod
    def check(cls, locator: Any) -> None:
        """Accept any name."""

    @classmethod
    def resource(cls, locator: Any) -> str:
        return f"stand-in:{locator['name']}"

    def read(self) -> Reading:
        said = self.call("GET", None, "")
        return Reading(
            state={"wanted": said["wanted"]},
            size=said["wanted"],
            serving=said["serving"],
            moving=said["wanted"] != said["serving"],
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        return baseline | {"wanted": size}

    def apply(self, state: State, *, key: str) -> Applied:
        crash, self.cloud.crash = self.cloud.crash, ""
        if crash == "before":
            raise Crash
        self.call("PUT", state, key)
        if crash == "after":
            raise Crash
        return Applied(request_id=f"r-{len(self.cloud.applied)}")

    def call(self, method: str, state: State | None, key: str) -> dict[str, int]:
        address = urlsplit(self.cloud.url)
        line = http.client.HTTPConnection(
            str(address.hostname),
            address.port,
            timeout=0.2 if "hang" in self.cloud.faults.values() else TIMEOUT_SECONDS,
        )
        try:
            line.request(
                method, f"/{self.locator['name']}", json.dumps(state or {}), {"Idempotency-Key": key}
            )
            answer = line.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise OutcomeUnclear("It didn't respond.") from error
        finally:
            line.close()
        if answer.status in {403, 404}:
            raise ApplyRefused(
                {403: "The quota is used up. Ask for more.", 404: "There is no such fleet."}[answer.status]
            )
        try:
            read: dict[str, int] = json.loads(said)
        except ValueError as error:
            raise OutcomeUnclear(f"It answered {answer.status} and nothing that can be read.") from error
        return read


class Staged(StandIn):
    """A fleet that changes by at most two instances per call: each call is one stage."""

    name = "staged stand-in"

    def apply(self, state: State, *, key: str) -> Applied:
        live = self.read().size
        next_size = max(live - 2, min(live + 2, state["wanted"]))
        return super().apply(state | {"wanted": next_size}, key=key)

    def is_between(self, live: State, *, before: State, after: State) -> bool:
        low, high = sorted([before["wanted"], after["wanted"]])
        return bool(low < live["wanted"] < high)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A running stand-in cloud, with its providers registered."""
    with served() as running:
        monkeypatch.setitem(PROVIDERS, "stand-in", StandIn)
        monkeypatch.setitem(PROVIDERS, "staged", Staged)
        yield running


class served:  # noqa: N801 used as a function
    """Serve a cloud for a while."""

    def __enter__(self) -> Cloud:
        self.cloud = Cloud()
        StandIn.cloud = self.cloud
        handler = type("Bound", (Handler,), {"cloud": self.cloud})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.cloud.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()
        return self.cloud

    def __exit__(self, *_: object) -> None:
        self.cloud.hung.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def make_target(cloud: Cloud, *, size: int = 2, **fields: Any) -> Target:
    """Make a fleet of `size` in the cloud, and its target."""
    name = fields.pop("name", None) or f"fleet-{next(SERIAL)}"
    cloud.add(name, size)
    locator = {"name": name}
    return Target.objects.create(
        **{"name": name, "provider": "stand-in", "locator": locator, "resource": StandIn.resource(locator)}
        | {"ceiling": 100, "lead_seconds": 10}
        | fields
    )


def fix_other_groups(*scaled: str) -> None:
    """Declare every group but these fixed."""
    for group in Group:
        if group not in scaled:
            FixedGroup.objects.create(group=group, reason="behind a CDN")


def make_step(*, target: Target, desired_size: int = 6, **fields: Any) -> Step:
    """Make a planned step that is due, of an announced drop whose lobby opens in an hour."""
    drop = fields.pop("drop", None) or make_drop()
    assert drop.lobby_opens_at is not None
    needed_at = drop.lobby_opens_at - timedelta(seconds=settings.SCALING_GO_SECONDS)
    times = {"starts_at": needed_at - timedelta(hours=2), "needed_at": needed_at}
    return Step.objects.create(
        drop=drop, target=target, **{"desired_size": desired_size, "tier": 1} | times | fields
    )
