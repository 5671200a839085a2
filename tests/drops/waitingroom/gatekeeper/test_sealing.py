"""The seal, tick by tick."""

from django.utils import timezone

from drops.waitingroom.protocol import places
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import SECOND, move, open_now
from tests.factories import make_drop


def test_the_seal_covers_everyone_who_joined_and_then_reveals_the_secret(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 7)
    open_now(drop)

    driven.tick()

    drop.refresh_from_db()
    document, state = driven.document(drop), driven.state(drop)
    assert (drop.sealed, state["n"], document["sealed"], document["phase"]) == (7, "7", 7, "live")
    assert document["secret"] is not None
    secret = bytes.fromhex(document["secret"])
    assert places.commitment(secret) == drop.commitment
    assert bytes.fromhex(state["seed"]) == places.seed(drop.pk, secret, 7)


def test_nothing_is_sealed_before_the_opening(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()

    wait = driven.tick()

    drop.refresh_from_db()
    assert (drop.sealed, "n" in driven.state(drop), wait) == (None, False, 1.0)


def test_the_next_tick_comes_right_at_the_opening(driven: Driven) -> None:
    drop = make_drop(phase="lobby", opens_at=timezone.now() + 0.5 * SECOND)

    assert 0 < driven.tick() <= 0.5
    drop.refresh_from_db()
    assert drop.sealed is None


def test_a_drop_nobody_joined_is_sealed_with_none(driven: Driven) -> None:
    drop = make_drop(phase="opening")

    driven.tick()

    drop.refresh_from_db()
    assert (drop.sealed, driven.document(drop)["phase"]) == (0, "live")


def test_a_drop_that_closed_first_is_not_sealed(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    move(drop, opens_at=timezone.now() - 2 * SECOND, closes_at=timezone.now() - SECOND)

    driven.tick()

    drop.refresh_from_db()
    assert (drop.sealed, driven.document(drop)["phase"], driven.state(drop)["closed"]) == (
        None,
        "closed",
        "1",
    )
    assert drop.closed_at is not None


def test_a_join_after_the_seal_is_not_covered_by_it(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    driven.join(drop, 2)
    open_now(drop)
    driven.tick()

    assert driven.join(drop, 1) == [2]
    driven.tick()

    drop.refresh_from_db()
    assert (drop.sealed, driven.state(drop)["n"], driven.document(drop)["joined"]) == (2, "2", 3)
