"""A stand-in for a cloud: a real HTTP server with fleets that follow what is asked of them, sooner or later.

Nothing in it happens by the clock: `cloud.go_on()` lets every fleet come nearer to what is asked. It can be told to
misbehave. `StandIn` is the kind of target that speaks to it, `make_target` a row of that kind.
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

from drops.scaling.models import Step, Target
from drops.scaling.providers import PROVIDERS, Applied, ApplyRefused, Field, OutcomeUnclear, Provider, Reading
from drops.scaling.providers.base import State
from tests.factories import make_drop

SERIAL = count(1)
SECONDS = 5.0  # a call's time-out, where nothing hangs


class Crash(BaseException):
    """The process died here. No handler of ours catches it."""


@dataclass
class Fleet:
    """One thing in the cloud: `wanted` is what is controlled, `serving` follows it, an accepted call may come late."""

    wanted: int
    serving: int
    coming: list[int] = field(default_factory=list)  # accepted, not applied yet


@dataclass
class Effect:
    """That `wanted` of a fleet changed by a call."""

    name: str
    before: int
    after: int
    key: str


@dataclass
class Cloud:
    """What the test sees and sets. Faults are by fleet, and stay until taken away.

    refuse (quota), throttle, error (5xx), garbage, hang (never answers), lost (takes effect, doesn't answer),
    lie (accepts, does nothing), late (accepts, takes effect at the next go_on)
    """

    fleets: dict[str, Fleet] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    asked: list[tuple[str, int, str]] = field(default_factory=list)
    quota: int = 1000
    crash: str = ""  # "before" or "after" the next call that asks
    url: str = ""
    hung: threading.Event = field(default_factory=threading.Event)
    meeting: threading.Barrier | None = None  # of the reads: none is answered before all were asked
    halt: tuple[str, threading.Event, threading.Event] | None = None  # method, reached, go on: the next such call waits

    def add(self, name: str, size: int = 2) -> Fleet:
        self.fleets[name] = Fleet(wanted=size, serving=size)
        return self.fleets[name]

    def set_wanted(self, name: str, size: int, key: str) -> None:
        fleet = self.fleets[name]
        if fleet.wanted != size:
            self.effects.append(Effect(name, fleet.wanted, size, key))
            fleet.wanted = size

    def go_on(self, steps: int = 1000) -> None:
        """Let every fleet come nearer to what is asked of it, by so many instances."""
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
            go_on.wait(SECONDS)
        if self.meeting and method == "GET":
            self.meeting.wait(SECONDS)
        name = path.rpartition("/")[2]
        fault = self.faults.get(name, "")
        if fault == "hang":
            self.hung.wait()
            return 500, b""
        if fault in {"throttle", "error", "garbage"}:
            return {"throttle": (429, b"slow down"), "error": (503, b"oops"), "garbage": (200, b"<html>")}[fault]
        if name not in self.fleets:
            return 404, b"no such fleet"
        fleet = self.fleets[name]
        if method == "PUT":
            size = int(body["wanted"])
            self.asked.append((name, size, key))
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
        status, said = self.cloud.answer(self.command, self.path, body, self.headers.get("Idempotency-Key", ""))
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_PUT = do_GET  # noqa: N815 the name that http.server looks for

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class StandIn(Provider):
    """A fleet of the stand-in cloud."""

    name = "stand-in"
    unit = "instances"
    fields: ClassVar[tuple[Field, ...]] = ()
    lead_seconds = 10
    cloud: ClassVar[Cloud]

    @classmethod
    def check(cls, locator: Any) -> None:
        """Any name will do."""

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
        return Applied(request_id=f"r-{len(self.cloud.asked)}")

    def call(self, method: str, state: State | None, key: str) -> dict[str, int]:
        address = urlsplit(self.cloud.url)
        line = http.client.HTTPConnection(
            str(address.hostname), address.port, timeout=0.2 if "hang" in self.cloud.faults.values() else SECONDS
        )
        try:
            line.request(method, f"/{self.locator['name']}", json.dumps(state or {}), {"Idempotency-Key": key})
            answer = line.getresponse()
            said = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise OutcomeUnclear("It did not answer.") from error
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
    """A fleet that gets where it should in steps of two: each call is one stage of the way."""

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
    """A stand-in cloud that answers, with its kinds of targets registered."""
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
    """A fleet of `size` in the cloud, and its row."""
    name = fields.pop("name", None) or f"fleet-{next(SERIAL)}"
    cloud.add(name, size)
    locator = {"name": name}
    return Target.objects.create(
        **{"name": name, "provider": "stand-in", "locator": locator, "resource": StandIn.resource(locator)}
        | {"ceiling": 100, "lead_seconds": 10}
        | fields
    )


def make_step(*, target: Target, desired_size: int = 6, **fields: Any) -> Step:
    """A planned step that is due, of an announced drop whose lobby opens in an hour."""
    drop = fields.pop("drop", None) or make_drop()
    assert drop.lobby_opens_at is not None
    needed_at = drop.lobby_opens_at - timedelta(seconds=settings.SCALING_GO_SECONDS)
    times = {"starts_at": needed_at - timedelta(hours=2), "needed_at": needed_at}
    return Step.objects.create(drop=drop, target=target, **{"desired_size": desired_size, "tier": 1} | times | fields)
