"""The first seconds of a lobby: the whole crowd joins while no gatekeeper ticks, then Redis is lost."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from math import ceil
from typing import Any

import pytest
from redis import Redis

from drops.models import Drop
from drops.waitingroom.gatekeeper import allocation
from tests.drops.waitingroom.gate.conftest import (
    JSON,
    OURS,
    Caller,
    Reply,
    caller,
    environment,
    shared_server,
)
from tests.drops.waitingroom.gatekeeper.conftest import Driven, driven
from tests.drops.waitingroom.gatekeeper.driving import checkpoint
from tests.factories import make_drop
from tests.servers import until

__all__ = ["caller", "driven", "environment", "shared_server"]

CROWD = 20_000
BURST_SECONDS = 120  # a bound for the whole burst on a busy machine


@pytest.fixture
def gate(
    line_redis: Redis, settings: Any, environment: pytest.MonkeyPatch, caller: Caller
) -> Iterator[Caller]:
    """A running gate on the Redis of the gatekeeper."""
    environment.setenv("LINE_REDIS_URL", settings.LINE_REDIS_URL)
    caller.start()
    yield caller
    caller.stop()


def begin_burst(gate: Caller, drop: Drop, shoppers: int) -> "Future[list[Reply]]":
    """Let a crowd join at once."""

    async def all_at_once() -> list[Reply]:
        path, headers = f"/line/{drop.slug}/join", JSON | OURS
        posts = (gate.ask("POST", path, headers | {"x-client-key": f"{n:032x}"}) for n in range(shoppers))
        return await asyncio.gather(*posts)

    return gate.later(all_at_once())


def burst(gate: Caller, drop: Drop, shoppers: int) -> list[Reply]:
    return begin_burst(gate, drop, shoppers).result(BURST_SECONDS)


def old_lease(*, joined: int, limit: int, per_second: float, **_: object) -> int:
    """The careless rule: a thousand ahead, whoever is expected."""
    return max(limit, joined + max(1000, ceil(per_second * 10)))


@pytest.mark.parametrize("expected", [CROWD, CROWD + 1, 25_000, 300_000])
def test_a_burst_of_all_that_are_expected_is_served_without_another_tick(
    driven: Driven, gate: Caller, expected: int
) -> None:
    crowd = CROWD if expected == CROWD else 2000
    drop = make_drop(phase="lobby", expected_shoppers=expected)
    driven.tick()

    replies = burst(gate, drop, crowd)

    assert [reply.status for reply in replies if reply.status != 200] == []
    assert sorted(reply.json["index"] for reply in replies) == list(range(crowd))

    driven.redis.flushdb()
    driven.tick()
    driven.tick()

    (after,) = driven.join(drop, 1)
    assert after - crowd <= expected - crowd
    assert checkpoint(drop).epoch == 2


def test_control_with_the_old_lease_most_of_the_burst_is_refused(
    driven: Driven, gate: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(allocation, "next_counter_limit", old_lease)
    drop = make_drop(phase="lobby", expected_shoppers=CROWD)
    driven.tick()

    replies = burst(gate, drop, CROWD)

    assert [reply.status for reply in replies].count(503) == CROWD - 1000


def test_a_crowd_larger_than_expected_is_held_until_the_next_tick(driven: Driven, gate: Caller) -> None:
    drop = make_drop(phase="lobby", expected_shoppers=100)
    driven.tick()
    replies = begin_burst(gate, drop, 150)
    until(lambda: int(driven.state(drop)["counter"]) == 100, "the limit")
    assert not replies.done()

    driven.tick(1)

    assert {reply.status for reply in replies.result(BURST_SECONDS)} == {200}


@pytest.mark.parametrize(("expected", "most"), [(None, 1000), (100, 100), (25_000, 1000)])
def test_a_loss_before_the_lobby_leaves_few_phantoms(driven: Driven, expected: int | None, most: int) -> None:
    drop = make_drop(expected_shoppers=expected)
    driven.tick()
    driven.redis.flushdb()
    driven.tick()

    assert int(driven.state(drop)["counter"]) == most
