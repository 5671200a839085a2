"""Joins and the counter's limit, tick by tick."""

import pytest

from drops.models import Checkpoint
from drops.waitingroom.protocol import lua
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import checkpoint
from tests.factories import make_drop


def test_an_announced_drop_is_adopted_and_published(driven: Driven) -> None:
    drop = make_drop()

    driven.tick()

    row, state, document = checkpoint(drop), driven.state(drop), driven.document(drop)
    assert (row.term, row.tick, row.epoch, row.counter_limit) == (1, 1, 1, 1000)
    assert (state["run"], state["limit"], state["counter"]) == (row.run_id, "1000", "0")
    assert (document["phase"], document["sealed"], document["secret"]) == ("announced", None, None)
    assert document["commitment"] == bytes(drop.commitment or b"").hex()
    with pytest.raises(lua.LobbyNotOpen):
        driven.join(drop, 1)


def test_joins_count_within_a_limit_that_is_committed_first(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()

    assert driven.join(drop, 3) == [0, 1, 2]
    driven.tick()

    row = checkpoint(drop)
    assert (row.joined, row.counter_limit, driven.state(drop)["limit"]) == (3, 1000, "1000")
    assert driven.document(drop)["joined"] == 3


def test_the_counter_limit_follows_the_rate_of_joins(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 900)

    driven.tick()

    assert checkpoint(drop).counter_limit == 900 + 900 * 5


def test_joins_beyond_the_counter_limit_are_refused(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()

    with pytest.raises(lua.CounterLimitReached):
        driven.join(drop, 1001)


def test_a_drop_without_a_checkpoint_gets_one(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    Checkpoint.objects.all().delete()

    driven.tick()

    assert driven.join(drop, 1) == [0]
