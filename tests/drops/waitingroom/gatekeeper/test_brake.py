"""The operator's brake: a ceiling that is lowered while a drop runs counts from the next tick."""

from collections.abc import Callable

import pytest

from drops import admission, drop_actions
from drops.models import Ceiling, Checkpoint, Drop
from drops.waitingroom.protocol import keys, lua
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import admitting, checkpoint
from tests.factories import make_hold

CALLED = 60  # 50 pieces are enough for so many


def brake(drop: Drop | None, shoppers: int, kind: Ceiling.Kind = Ceiling.Kind.OPERATOR) -> None:
    admission.set_ceiling(drop=drop, kind=kind, shoppers=shoppers, reason="Slowly.")


def running(driven: Driven, entered: int) -> Drop:
    """Return a drop that called 60 shoppers, of whom `entered` came in."""
    drop = admitting(driven, 100, quantity=50)
    driven.tick()
    assert driven.enter(drop, range(entered)) == entered
    assert driven.state(drop)["allowance"] == str(CALLED)
    return drop


@pytest.mark.parametrize(
    ("ceiling", "more"), [(0, 0), (1, 0), (23, 0), (24, 0), (25, 1), (40, 16), (CALLED, 36), (1000, 36)]
)
def test_nobody_enters_beyond_a_lowered_ceiling(driven: Driven, ceiling: int, more: int) -> None:
    """24 have entered, and have no hold yet: they count against the ceiling."""
    drop = running(driven, 24)
    brake(drop, ceiling)

    driven.tick()

    assert driven.enter(drop, range(24, 100)) == more
    assert checkpoint(drop).allowance == 24 + more


@pytest.mark.parametrize("kind", [Ceiling.Kind.PAYMENT_ACCOUNT, Ceiling.Kind.READY_CAPACITY])
def test_every_ceiling_brakes_for_one_drop_and_for_all(driven: Driven, kind: Ceiling.Kind) -> None:
    drop = running(driven, 24)
    brake(None, 0, kind)

    driven.tick()

    assert driven.enter(drop, range(24, 100)) == 0


def test_those_who_enter_during_the_tick_are_within_the_ceiling_or_the_last(driven: Driven) -> None:
    """Entries between a tick's reading and its publishing count; the allowance stops where they are."""
    drop = running(driven, 24)
    brake(drop, 0)
    read_state = lua.read_state

    def enter_after_reading(*args: object) -> lua.WaitingRoomState:
        found = read_state(driven.redis, drop.slug)
        assert driven.enter(drop, range(24, 30)) == 6
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lua, "read_state", enter_after_reading)
        driven.tick()

    assert driven.state(drop)["allowance"] == "30"
    assert driven.enter(drop, range(30, 100)) == 0
    driven.tick()
    assert checkpoint(drop).allowance == 30


def test_shoppers_with_a_pass_or_a_hold_go_on(driven: Driven) -> None:
    drop = running(driven, 24)
    hold = make_hold(drop=drop, index=3)
    passes = [lua.enter(driven.redis, drop.slug, index=place, place=place) for place in range(24)]
    brake(drop, 0)

    driven.tick()

    assert passes == [lua.enter(driven.redis, drop.slug, index=place, place=place) for place in range(24)]
    assert driven.state(drop)["cursor"] == str(CALLED)
    hold.refresh_from_db()
    assert hold.state == "open"


def test_lifting_it_resumes_with_those_who_were_called(driven: Driven, window: Callable[[], None]) -> None:
    drop = running(driven, 24)
    brake(drop, 0)
    driven.tick()
    admission.lift_ceiling(drop=drop, kind=Ceiling.Kind.OPERATOR)

    driven.tick()

    assert driven.state(drop)["cursor"] == str(CALLED)
    assert driven.enter(drop, range(24, 100)) == 36
    for index in range(45):
        make_hold(drop=drop, index=index)
    window()
    driven.tick()
    assert driven.state(drop)["cursor"] == str(CALLED)  # 5 pieces are left, and 15 shoppers still choose


@pytest.mark.parametrize("loss", ["emptied", "restarted", "without entered"])
def test_the_brake_holds_after_redis_was_lost(driven: Driven, loss: str) -> None:
    drop = running(driven, 24)
    driven.tick()  # commits the 24
    brake(drop, 0)
    if loss == "emptied":
        driven.redis.flushdb()
    elif loss == "restarted":
        driven.redis.hset(keys.state(drop.slug), "run", "f" * 40)  # as on a server with an append-only file
    else:
        driven.redis.hdel(keys.state(drop.slug), "entered", "epoch")

    driven.tick()

    assert driven.state(drop)["allowance"] == "24"
    assert driven.enter(drop, range(24, 100)) == 0
    assert checkpoint(drop).allowance == 24


def test_a_brake_set_in_a_pause_holds_from_the_moment_it_ends(driven: Driven) -> None:
    drop = running(driven, 24)
    drop_actions.pause(drop=drop, actor=None, reason="")
    driven.tick()
    brake(drop, 0)
    driven.tick()
    drop_actions.resume(drop=drop, actor=None)

    driven.tick()

    assert driven.enter(drop, range(24, 100)) == 0


def test_the_committed_allowance_is_never_below_what_has_entered(driven: Driven) -> None:
    drop = running(driven, 24)
    drop_actions.pause(drop=drop, actor=None, reason="")
    Checkpoint.objects.update(allowance=3)  # as after a restore of an older backup

    driven.tick()

    assert (checkpoint(drop).allowance, driven.state(drop)["allowance"]) == (24, "24")


def test_a_gatekeeper_of_an_older_term_cannot_release_the_brake(driven: Driven, another: Driven) -> None:
    drop = running(driven, 24)
    brake(drop, 0)
    old = driven.keeper.leading_term()
    driven.keeper.step_down()
    another.tick()

    with pytest.raises(lua.OutdatedTerm):
        lua.publish(
            driven.redis, drop.slug, term=old, limit=0, cursor=0, allowance=CALLED,
            paused=False, closed=False, status="",
        )  # fmt: skip
    assert driven.enter(drop, range(24, 100)) == 0
