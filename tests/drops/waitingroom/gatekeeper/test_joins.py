"""Joins and the lease of the counter, tick by tick."""

import pytest

from drops.models import Checkpoint
from drops.waitingroom.protocol import lua
from tests.drops.waitingroom.gatekeeper.driving import checkpoint
from tests.factories import make_drop


def test_an_announced_drop_is_adopted_and_told_of(driven):
    drop = make_drop()

    driven.tick()

    row, state, document = checkpoint(drop), driven.state(drop), driven.document(drop)
    assert (row.term, row.tick, row.epoch, row.counter_limit) == (1, 1, 1, 1000)
    assert (state["run"], state["limit"], state["counter"]) == (row.run_id, "1000", "0")
    assert (document["phase"], document["sealed"], document["secret"]) == ("announced", None, None)
    assert document["commitment"] == bytes(drop.commitment).hex()
    with pytest.raises(lua.LobbyNotOpen):
        driven.join(drop, 1)


def test_joins_count_on_under_a_lease_that_is_committed_first(driven):
    drop = make_drop(phase="lobby")
    driven.tick()

    assert driven.join(drop, 3) == [0, 1, 2]
    driven.tick()

    row = checkpoint(drop)
    assert (row.joined, row.counter_limit, driven.state(drop)["limit"]) == (3, 1003, "1003")
    assert driven.document(drop)["joined"] == 3


def test_the_lease_follows_the_rate_of_joins(driven):
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 900)

    driven.tick()

    assert checkpoint(drop).counter_limit > 900 + 1000


def test_joins_beyond_the_lease_wait(driven):
    drop = make_drop(phase="lobby")
    driven.tick()

    with pytest.raises(lua.CounterLimitReached):
        driven.join(drop, 1001)


def test_a_drop_without_a_checkpoint_gets_one(driven):
    drop = make_drop(phase="lobby")
    Checkpoint.objects.all().delete()

    driven.tick()

    assert driven.join(drop, 1) == [0]
