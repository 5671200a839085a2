"""A database that refuses writes: nobody is let in to holds that can only fail."""

from collections.abc import Iterator

import pytest
from django.db import connection

from drops import drop_actions
from drops.models import Drop
from drops.waitingroom.gatekeeper import loop
from drops.waitingroom.protocol import keys
from shop.core import database
from tests import databases
from tests.databases_gone_bad import cut, read_only
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import admitting, checkpoint
from tests.factories import make_drop
from tests.servers import until

CALLED = 60  # 50 pieces are enough for so many
ENTERED = 24


@pytest.fixture(autouse=True)
def own_pool(transactional_db: None) -> Iterator[None]:
    """Connections that refuse writes are gone before the database is emptied."""
    database.Replacement.at = None
    yield
    databases.disconnect()


def selling(driven: Driven) -> Drop:
    """Return a drop that called 60 shoppers, of whom 24 came in."""
    drop = admitting(driven, 100, quantity=50)
    driven.tick()
    assert driven.enter(drop, range(ENTERED)) == ENTERED
    assert driven.state(drop)["allowance"] == str(CALLED)
    return drop


def safe_tick(driven: Driven) -> None:
    driven.clock.now += 1
    driven.keeper.run_once_safely()


def ticks_again(driven: Driven) -> None:
    def is_leading() -> bool:
        safe_tick(driven)
        return not driven.keeper.outages.since

    until(is_leading, "a tick that commits", seconds=20)


def test_nobody_is_let_in_while_no_hold_can_succeed(driven: Driven) -> None:
    drop = selling(driven)
    with read_only():
        for _ in range(3):
            safe_tick(driven)
        assert driven.enter(drop, range(ENTERED, 100)) == 0
        assert driven.document(drop)["cursor"] == CALLED

    ticks_again(driven)

    assert driven.enter(drop, range(ENTERED, 100)) == CALLED - ENTERED
    assert checkpoint(drop).allowance == CALLED


def test_control_without_the_stop_the_rest_comes_in(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop.Gatekeeper, "stop_admission", lambda _self: None)
    drop = selling(driven)
    with read_only():
        safe_tick(driven)
        assert driven.enter(drop, range(ENTERED, 100)) == CALLED - ENTERED


def test_a_connection_that_was_cut_stops_admission_for_a_tick(driven: Driven) -> None:
    drop = selling(driven)
    connection.ensure_connection()
    cut()

    safe_tick(driven)
    assert driven.enter(drop, range(ENTERED, 100)) == 0
    ticks_again(driven)

    assert driven.enter(drop, range(ENTERED, 100)) == CALLED - ENTERED


def test_joining_and_the_lobby_go_on(driven: Driven) -> None:
    drop, lobby = selling(driven), make_drop(phase="lobby")
    driven.tick()
    before = driven.state(lobby)
    with read_only():
        safe_tick(driven)
        assert len(driven.join(drop, 5) + driven.join(lobby, 5)) == 10

    assert driven.state(lobby) == before | {"counter": "5"}


def test_a_pause_stays_a_pause(driven: Driven) -> None:
    drop = selling(driven)
    drop_actions.pause(drop=drop, actor=None, reason="A check.")
    driven.tick()
    with read_only():
        safe_tick(driven)

    assert driven.state(drop)["paused"] == "1"


def test_one_that_stands_by_or_was_replaced_stops_nothing(driven: Driven, another: Driven) -> None:
    drop = selling(driven)
    safe_tick(another)
    driven.redis.hset(keys.state(drop.slug), "term", 7)  # a newer leader's
    with read_only():
        safe_tick(another)
        safe_tick(driven)

    assert driven.state(drop)["allowance"] == str(CALLED)


def test_without_postgres_and_redis_the_loop_goes_on(driven: Driven) -> None:
    drop = selling(driven)
    driven.keeper.redis = loop.connect("redis://127.0.0.1:1/0")
    with read_only():
        safe_tick(driven)
    driven.keeper.redis = driven.redis

    ticks_again(driven)

    assert driven.enter(drop, range(ENTERED, 100)) == CALLED - ENTERED
