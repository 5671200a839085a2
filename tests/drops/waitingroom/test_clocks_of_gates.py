"""The clocks of Redis and of the gates' machines, which know no database, are measured and alerted too."""

import asyncio
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis

from drops.waitingroom.gate import clock
from drops.waitingroom.gatekeeper.clocks import REDIS_NAME
from drops.waitingroom.protocol import clocks, keys
from shop.core import clock_skew
from shop.core.models import Alert
from tests.drops.waitingroom.gate.conftest import Caller, caller, environment, shared_server
from tests.drops.waitingroom.gatekeeper.conftest import Driven, driven
from tests.servers import until

__all__ = ["caller", "driven", "environment", "shared_server"]


@pytest.fixture
def gate(
    line_redis: Redis, settings: Any, environment: pytest.MonkeyPatch, caller: Caller
) -> Iterator[Caller]:
    """A gate that hasn't started, on the Redis of the gatekeeper."""
    environment.setenv("LINE_REDIS_URL", settings.LINE_REDIS_URL)
    yield caller
    caller.stop()


@pytest.mark.parametrize(
    ("ahead", "alerted"), [(-86_400, True), (-8, True), (-0.5, False), (0, False), (0.5, False), (8, True)]
)
def test_a_gates_clock_is_measured(
    driven: Driven, gate: Caller, monkeypatch: pytest.MonkeyPatch, ahead: float, alerted: bool
) -> None:
    monkeypatch.setattr(clock, "time", lambda: time.time() + ahead)
    monkeypatch.setattr("socket.gethostname", lambda: "gate-1")
    gate.start()
    until(lambda: driven.redis.hexists(keys.CLOCKS, "gate-1"), "the gate's report")

    driven.tick()

    found = {reading.machine: reading.skew_seconds for reading in clock_skew.recent()}
    assert found["gate-1"] == pytest.approx(ahead, abs=0.4)
    assert found[REDIS_NAME] == pytest.approx(0, abs=0.4)
    assert [alert.subject for alert in Alert.objects.open()] == ["clock:gate-1"] * alerted


@pytest.mark.parametrize("field", [b"", b"nonsense", b"1", b"1,2,3", b"x,y", b"8.0,1"])
def test_unreadable_and_old_reports_are_left_out(driven: Driven, field: bytes) -> None:
    driven.redis.hset(keys.CLOCKS, "gate-1", field)

    driven.tick()

    assert [reading.machine for reading in clock_skew.recent()] == [REDIS_NAME]


def test_clocks_are_not_recorded_in_every_tick(driven: Driven) -> None:
    driven.tick()
    driven.redis.hset(keys.CLOCKS, "gate-1", clocks.field(8, now=clocks.seconds(driven.redis.time())))

    driven.tick(1)
    assert len(clock_skew.recent()) == 1
    driven.tick(300)
    assert len(clock_skew.recent()) == 2


def test_a_slow_answer_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([0.0, 0.6])
    monkeypatch.setattr(clock, "monotonic", lambda: next(readings))

    async def answer() -> tuple[int, int]:
        return 1, 0

    redis: Any = SimpleNamespace(time=answer)
    assert asyncio.run(clock.report(redis, machine="gate-1")) is False
