"""The number of shoppers admitted, tick by tick."""

from collections.abc import Callable
from math import ceil
from typing import Any

import pytest
from django.utils import timezone

from drops import admission, drop_actions, holds
from drops.models import Ceiling, Drop, Hold
from drops.waitingroom.protocol import keys
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import SECOND, admitting, checkpoint, move, open_now
from tests.factories import make_drop, make_hold, make_pass


def test_nobody_is_admitted_within_five_seconds_of_the_seal(driven: Driven) -> None:
    drop = make_drop(phase="lobby", quantity=2)
    driven.tick()
    driven.join(drop, 9)
    open_now(drop)
    driven.tick()
    driven.tick()
    assert (driven.state(drop)["cursor"], driven.state(drop)["allowance"]) == ("0", "0")

    move(drop, sealed_at=timezone.now() - 5 * SECOND)
    driven.tick()

    assert (driven.state(drop)["cursor"], driven.state(drop)["allowance"]) == ("3", "3")
    assert checkpoint(drop).reason == "Stock: 2 units are free."


def test_as_many_are_admitted_as_the_stock_is_enough_for(driven: Driven, window: Callable[[], None]) -> None:
    drop = admitting(driven, 100, quantity=10)

    for _ in range(3):
        driven.tick()
        driven.enter(drop, range(100))
        window()

    assert driven.state(drop)["entered"] == "12"
    assert driven.document(drop)["rate"] > 0


def test_a_pass_with_a_hold_no_longer_counts_as_waiting(driven: Driven) -> None:
    drop = admitting(driven, 100, quantity=50)
    admission.set_ceiling(drop=drop, kind=Ceiling.Kind.OPERATOR, shoppers=5, reason="Slowly.")
    driven.tick()
    driven.enter(drop, range(5))
    driven.tick()
    assert checkpoint(drop).allowance == 5

    for index in range(2):
        make_hold(drop=drop, index=index)
    driven.tick()

    assert checkpoint(drop).allowance == 7


def test_holds_make_room_only_when_they_come_back(driven: Driven, window: Callable[[], None]) -> None:
    drop = admitting(driven, 100, quantity=2)
    driven.tick()
    driven.enter(drop, range(3))
    made = [make_hold(drop=drop, pass_=make_pass(drop=drop, index=index)) for index in range(2)]
    window()
    driven.tick()
    assert driven.enter(drop, range(3, 100)) == 0

    for hold in made:
        holds.release_open(hold=hold)
    Hold.objects.update(entered_at=timezone.now() - 121 * SECOND)
    driven.redis.delete(keys.seconds(drop.slug))
    driven.keeper.memory.clear()
    window()
    driven.tick()

    assert driven.enter(drop, range(3, 100)) == 3


def with_25_inside(driven: Driven, *, held: int) -> Drop:
    """Return a drop of 30 pieces that admitted 25 shoppers, of whom `held` hold one."""
    drop = admitting(driven, 100, quantity=30)
    driven.tick()
    assert driven.enter(drop, range(25)) == 25
    for index in range(held):
        make_hold(drop=drop, index=index)
    return drop


def entered_ago(driven: Driven, drop: Drop, seconds: float, *, entries: int, took: int = 1) -> None:
    """Move every hold and `entries` entries into the past; `took` seconds are from an entry to its hold."""
    entered = timezone.now() - seconds * SECOND
    Hold.objects.update(entered_at=entered, created_at=entered + took * SECOND)
    driven.redis.delete(keys.seconds(drop.slug))
    driven.redis.hset(keys.seconds(drop.slug), str(int(entered.timestamp())), str(entries))
    driven.keeper.memory.clear()


@pytest.mark.parametrize(
    ("held", "took", "ago", "waiting"),
    [(20, 1, 25, 0), (20, 1, 15, 5), (20, 6, 25, 0), (20, 7, 25, 5), (20, 60, 25, 5), (19, 1, 25, 6)],
)
def test_shoppers_who_take_much_longer_than_others_are_not_waited_for(
    driven: Driven, held: int, took: int, ago: int, waiting: int
) -> None:
    """A pass without a hold counts for four times as long as the others took, or 20 s at least."""
    drop = with_25_inside(driven, held=held)
    entered_ago(driven, drop, ago, entries=25, took=took)

    driven.tick()

    assert checkpoint(drop).allowance == 25 + ceil((30 - held) * 1.2) - waiting


def test_a_second_hold_does_not_count_for_how_long_choosing_takes(driven: Driven) -> None:
    drop = with_25_inside(driven, held=21)
    entered_ago(driven, drop, 25, entries=25)
    Hold.objects.filter(index=20).update(nth=2, created_at=timezone.now() + 600 * SECOND)

    driven.tick()

    assert checkpoint(drop).allowance == 25 + 11


def test_a_hold_of_an_older_entry_makes_no_room(driven: Driven) -> None:
    drop = with_25_inside(driven, held=20)
    entered_ago(driven, drop, 25, entries=5)
    entered = timezone.now() - 130 * SECOND
    Hold.objects.update(entered_at=entered, created_at=entered + 60 * SECOND)

    driven.tick()

    assert checkpoint(drop).allowance == 25 + 12 - 5


def test_more_are_called_in_place_of_those_who_stay_away(driven: Driven, window: Callable[[], None]) -> None:
    drop = admitting(driven, 1000, quantity=10)
    driven.tick()
    assert driven.enter(drop, range(6)) == 6
    driven.tick()
    assert driven.state(drop)["cursor"] == "12"

    window()
    driven.tick()

    assert driven.state(drop)["cursor"] == "24"
    assert driven.enter(drop, range(12, 24)) == 6


def test_shoppers_who_were_told_to_retry_enter_before_newcomers(
    driven: Driven, window: Callable[[], None]
) -> None:
    drop = admitting(driven, 100, quantity=50)
    admission.set_ceiling(drop=drop, kind=Ceiling.Kind.OPERATOR, shoppers=5, reason="Slowly.")
    driven.tick()
    assert driven.enter(drop, range(5)) == 5
    window()
    driven.tick()  # the allowance is used up: shoppers are told to retry
    admission.lift_ceiling(drop=drop, kind=Ceiling.Kind.OPERATOR)

    driven.tick()
    assert (driven.state(drop)["cursor"], driven.state(drop)["allowance"]) == ("5", "60")

    window()
    driven.tick()
    assert driven.state(drop)["cursor"] == "60"


@pytest.mark.parametrize("whole", [False, True])
def test_slots_of_the_checkout_bound_admission(driven: Driven, settings: Any, whole: bool) -> None:
    settings.CHECKOUT_SLOTS = 5
    drop = admitting(driven, 100, quantity=50)
    if whole:
        other = make_drop(phase="live")
        make_hold(drop=other, state="paying")
        drop_actions.close(drop=other, actor=None)

    driven.tick()
    driven.tick(1)  # the other is no longer told of each time; its hold counts all the same

    assert driven.state(drop)["allowance"] == ("4" if whole else "5")
    assert checkpoint(drop).reason == f"Checkout: {4 if whole else 5} of 5 slots are free."


def test_ceilings_that_others_set_bound_admission_and_give_the_reason(driven: Driven) -> None:
    drop = admitting(driven, 100, quantity=50)
    admission.set_ceiling(
        drop=None, kind=Ceiling.Kind.PAYMENT_ACCOUNT, shoppers=8, reason="Payments: 12 wait."
    )
    driven.tick()
    assert (driven.state(drop)["allowance"], checkpoint(drop).reason) == ("8", "Payments: 12 wait.")

    admission.set_ceiling(drop=drop, kind=Ceiling.Kind.OPERATOR, shoppers=9, reason="Slowly.")
    admission.lift_ceiling(drop=None, kind=Ceiling.Kind.PAYMENT_ACCOUNT)
    driven.tick()
    assert (driven.state(drop)["allowance"], checkpoint(drop).reason) == ("9", "Slowly.")


def test_a_verified_capacity_takes_the_place_of_the_baseline(driven: Driven, settings: Any) -> None:
    settings.READY_PER_SECOND = 1
    drop = admitting(driven, 100, quantity=50)
    driven.tick()
    assert checkpoint(drop).allowance == 10

    admission.set_ceiling(drop=None, kind=Ceiling.Kind.READY_CAPACITY, shoppers=30, reason="Verified.")
    driven.tick()

    assert (checkpoint(drop).allowance, checkpoint(drop).reason) == (30, "Verified.")


def test_two_running_drops_share_the_slots(driven: Driven, settings: Any) -> None:
    settings.CHECKOUT_SLOTS = 10
    first = admitting(driven, 50, quantity=50)
    second = admitting(driven, 50, quantity=50)

    driven.tick()

    assert [checkpoint(drop).allowance for drop in (first, second)] == [5, 5]


def test_passes_that_wait_in_a_paused_drop_take_room_from_the_other(driven: Driven, settings: Any) -> None:
    settings.CHECKOUT_SLOTS = 10
    paused = admitting(driven, 50, quantity=50)
    driven.tick()
    driven.enter(paused, range(4))
    drop_actions.pause(drop=paused, actor=None, reason="")
    drop = admitting(driven, 50, quantity=50)

    driven.tick()

    assert checkpoint(drop).allowance == 6


def test_in_a_pause_nobody_is_called_and_places_are_kept(driven: Driven, window: Callable[[], None]) -> None:
    drop = admitting(driven, 100, quantity=10)
    driven.tick()
    drop_actions.pause(drop=drop, actor=None, reason="")
    window()

    driven.tick()

    state, document = driven.state(drop), driven.document(drop)
    assert (state["paused"], state["cursor"], state["allowance"]) == ("1", "12", "12")
    assert (document["phase"], document["sentence"]) == ("paused", "Paused. Your place is kept.")
    assert driven.enter(drop, range(12)) == 0

    drop_actions.resume(drop=drop, actor=None)
    driven.tick()

    assert driven.document(drop)["phase"] == "live"
    assert driven.enter(drop, range(12)) == 12


def test_the_rate_counts_only_those_who_entered(driven: Driven) -> None:
    drop = admitting(driven, 100, quantity=10)
    assert driven.document(drop)["rate"] == 0.0

    driven.tick()
    driven.enter(drop, range(12))
    driven.tick()

    document = driven.document(drop)
    assert 0 < document["rate"] <= 12.0
    assert document["entered"] == 12
