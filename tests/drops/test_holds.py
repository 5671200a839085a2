"""Placing holds, and each transition of a hold."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drops import holds
from drops.models import Drop, Hold, Pause, Unit
from drops.refusals import HoldRefused
from tests.factories import make_drop, make_edition, make_hold, make_pass

pytestmark = [pytest.mark.django_db, pytest.mark.ops]


def place(drop: Drop, quantity: int = 1, index: int = 0, **fields: Any) -> Hold:
    edition = drop.editions.order_by("pk")[0]
    return holds.place(
        drop=drop, pass_=make_pass(drop=drop, index=index, **fields), quantities={edition.pk: quantity}
    )


def free(drop: Drop) -> int:
    return Unit.objects.filter(edition__drop=drop, hold=None, withheld_at=None).count()


def lapse(hold: Hold, seconds: int = 6) -> None:
    Hold.objects.filter(pk=hold.pk).update(expires_at=timezone.now() - timedelta(seconds=seconds))


def test_place_copies_pass_price_and_currency() -> None:
    drop = make_drop(phase="live")

    hold = place(drop, index=7, cursor=20)

    line = hold.lines.get()
    assert (hold.state, hold.index, hold.place, hold.cursor) == ("open", 7, 7, 20)
    assert (line.quantity, line.price, hold.currency) == (1, 9600, "EUR")
    assert hold.expires_at - hold.created_at == timedelta(seconds=drop.hold_seconds)
    assert free(drop) == 2


def test_place_takes_units_of_several_editions_up_to_the_limit() -> None:
    drop = make_drop(phase="live", editions=2)
    first, second = drop.editions.order_by("pk")

    hold = holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={first.pk: 1, second.pk: 1})

    assert sorted(hold.units.values_list("edition_id", flat=True)) == [first.pk, second.pk]


def test_place_again_returns_the_same_hold() -> None:
    drop = make_drop(phase="live")

    assert place(drop).pk == place(drop).pk
    assert free(drop) == 2


@pytest.mark.parametrize(("editions", "quantity"), [(1, 1), (2, 1), (1, 2)])
def test_place_again_with_a_different_choice_names_the_hold(editions: int, quantity: int) -> None:
    drop = make_drop(phase="live", editions=2)
    hold, chosen = place(drop), drop.editions.order_by("position", "pk")[editions - 1]

    if (editions, quantity) == (1, 1):
        assert place(drop) == hold
        return
    with pytest.raises(holds.OtherUnitsHeld) as earlier:
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={chosen.pk: quantity})
    assert earlier.value.hold == hold
    assert free(drop) == 5


@pytest.mark.parametrize("quantity", [0, -1, 3])
def test_place_refuses_a_quantity_outside_the_limit(quantity: int) -> None:
    drop = make_drop(phase="live", quantity=9)

    with pytest.raises(holds.WrongQuantity):
        place(drop, quantity=quantity)
    assert Hold.objects.count() == 0


def test_place_refuses_a_total_above_the_drops_limit() -> None:
    drop = make_drop(phase="live", editions=2)
    first, second = drop.editions.order_by("pk")

    with pytest.raises(holds.WrongQuantity):
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={first.pk: 2, second.pk: 1})


def test_place_refuses_an_edition_of_another_drop() -> None:
    drop, other = make_drop(phase="live"), make_drop(phase="live")

    with pytest.raises(holds.ForeignEdition):
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={other.editions.get().pk: 1})


def test_place_refuses_an_empty_choice() -> None:
    drop = make_drop(phase="live")

    with pytest.raises(holds.WrongQuantity):
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={})


@pytest.mark.parametrize(
    ("phase", "refusal"),
    [(phase, holds.NotLive) for phase in ("announced", "lobby", "opening", "paused")]
    + [("closed", holds.DropEnded), ("cancelled", holds.DropCancelled)],
)
def test_place_refuses_outside_a_live_drop(phase: str, refusal: type[HoldRefused]) -> None:
    drop = make_drop(phase=phase)

    with pytest.raises(refusal):
        place(drop)
    assert free(drop) == 3


def test_place_refuses_after_the_closing_time_before_the_drop_is_closed() -> None:
    drop = make_drop(phase="live", closes_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(holds.DropEnded):
        place(drop)


def test_place_offers_what_is_free_and_holds_nothing() -> None:
    drop = make_drop(phase="live", quantity=2)
    place(drop, index=1)

    with pytest.raises(holds.NoneFree) as refusal:
        place(drop, quantity=2, index=2)

    assert (refusal.value.offers, refusal.value.held) == ({drop.editions.get().pk: 1}, 1)
    assert free(drop) == 1


def test_place_says_how_many_held_units_may_come_back() -> None:
    drop = make_drop(phase="live", quantity=1)
    place(drop, index=1)

    with pytest.raises(holds.NoneFree) as refusal:
        place(drop, index=2)

    assert (refusal.value.offers, refusal.value.held) == ({}, 1)
    assert str(refusal.value) == "None available right now. 1 is in a checkout and may come back."


def test_place_raises_gone_when_all_units_are_sold() -> None:
    drop = make_drop(phase="live", quantity=1)
    make_hold(drop=drop, index=1, state="allocated")

    with pytest.raises(holds.Gone):
        place(drop, index=2)


def test_place_reclaims_a_lapsed_hold() -> None:
    drop = make_drop(phase="live", quantity=1)
    old = place(drop, index=1)
    lapse(old)

    new = place(drop, index=2)

    old.refresh_from_db()
    assert (old.state, new.units.count()) == ("released", 1)


def test_place_reclaims_only_as_many_holds_as_it_needs() -> None:
    drop = make_drop(phase="live", quantity=2)
    for index in (1, 2):
        lapse(place(drop, index=index))

    place(drop, index=3)

    assert sorted(Hold.objects.values_list("state", flat=True)) == ["open", "open", "released"]


def test_place_releases_the_tickets_own_lapsed_hold_and_numbers_the_new_one() -> None:
    drop = make_drop(phase="live", quantity=1)
    lapse(place(drop), seconds=1)

    second = place(drop)

    assert (second.nth, second.units.count()) == (2, 1)


def test_place_refuses_a_third_hold_of_a_ticket() -> None:
    drop = make_drop(phase="live")
    for _time in range(2):
        holds.release_open(hold=place(drop))

    with pytest.raises(holds.UsedUp):
        place(drop)


def test_place_takes_no_withheld_units() -> None:
    drop = make_drop(phase="live", quantity=1)
    Unit.objects.update(withheld_at=timezone.now(), withheld_reason="sample")

    with pytest.raises(holds.Gone):
        place(drop)


def test_hold_for_a_place_that_was_not_called_is_rejected_by_the_database() -> None:
    drop = make_drop(phase="live")

    with pytest.raises(IntegrityError, match="held_place_was_called"), transaction.atomic():
        place(drop, index=20, cursor=20)


def test_release_open_leaves_a_hold_being_paid_for() -> None:
    drop = make_drop(phase="live")
    hold = place(drop)
    holds.pay(hold=hold, version=hold.version)

    holds.release_open(hold=hold)

    hold.refresh_from_db()
    assert (hold.state, free(drop)) == ("paying", 2)


def test_expire_due_releases_lapsed_holds_but_none_in_a_pause() -> None:
    live, paused = make_drop(phase="live"), make_drop(phase="live")
    for drop in (live, paused):
        lapse(place(drop))
    Pause.objects.create(drop=paused, began_at=timezone.now())

    assert holds.expire_due() == 1
    assert (free(live), free(paused)) == (3, 2)


def test_pay_succeeds_after_the_expiry_in_a_pause() -> None:
    drop = make_drop(phase="live")
    hold = place(drop)
    lapse(hold)
    Pause.objects.create(drop=drop, began_at=timezone.now())

    holds.pay(hold=hold, version=hold.version)

    hold.refresh_from_db()
    assert hold.state == "paying"


def test_pay_refuses_a_lapsed_hold() -> None:
    hold = place(make_drop(phase="live"))
    lapse(hold, seconds=0)

    with pytest.raises(holds.HoldOver):
        holds.pay(hold=hold, version=hold.version)


def test_reopen_leaves_at_least_two_minutes() -> None:
    hold = place(make_drop(phase="live"))
    holds.pay(hold=hold, version=hold.version)
    lapse(hold)

    holds.reopen(hold=hold)

    hold.refresh_from_db()
    assert hold.state == "open"
    assert hold.expires_at > timezone.now() + timedelta(seconds=110)


def test_reopen_refuses_an_ended_hold() -> None:
    drop = make_drop(phase="live")
    hold = place(drop)
    holds.release_open(hold=hold)

    with pytest.raises(holds.HoldOver):
        holds.reopen(hold=hold)

    hold.refresh_from_db()
    assert (hold.state, free(drop)) == ("released", 3)


def test_allocate_succeeds_twice_and_refuses_a_released_hold() -> None:
    drop = make_drop(phase="live")
    hold, over = place(drop, index=1), place(drop, index=2)
    holds.pay(hold=hold, version=hold.version)
    holds.allocate(hold=hold)
    holds.allocate(hold=hold)
    holds.release_open(hold=over)

    with pytest.raises(holds.HoldOver):
        holds.allocate(hold=over)


def test_withhold_withholds_the_units() -> None:
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop, state="paying")
    holds.allocate(hold=hold)

    holds.withhold(hold=hold, reason="capture refused")

    hold.refresh_from_db()
    unit = Unit.objects.get()
    assert (hold.state, unit.hold_id, unit.withheld_reason) == ("returned", None, "capture refused")
    assert hold.lines.filter(withheld=F("quantity")).count() == 1


@pytest.mark.parametrize("state", ["open", "paying"])
def test_withhold_leaves_a_hold_that_is_not_allocated(state: str) -> None:
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop, state=state)

    holds.withhold(hold=hold, reason="capture refused")

    hold.refresh_from_db()
    assert (hold.state, hold.units.count()) == (state, 1)


@pytest.mark.parametrize("state", ["paying", "allocated"])
def test_place_never_releases_a_hold_that_is_being_paid_for_or_sold(state: str) -> None:
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop, state=state)
    lapse(hold)

    assert place(drop).pk == hold.pk
    assert holds.expire_due() == 0

    hold.refresh_from_db()
    assert (hold.state, hold.units.count()) == (state, 1)


def test_place_refuses_more_than_the_editions_own_limit() -> None:
    drop = make_drop(phase="live", editions=0)
    edition = make_edition(drop=drop, limit_per_order=1)

    with pytest.raises(holds.WrongQuantity):
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={edition.pk: 2})


@pytest.mark.parametrize(
    ("paused", "seconds", "payable"), [(False, -5, True), (False, 5, False), (True, 5, True)]
)
def test_is_payable_until_the_expiry_or_in_a_pause(paused: bool, seconds: int, payable: bool) -> None:
    drop = make_drop(phase="live")
    hold = place(drop)
    if paused:
        Pause.objects.create(drop=drop, began_at=timezone.now())
    now = hold.expires_at + timedelta(seconds=seconds)

    assert Hold.objects.get().is_payable(now=now) == payable
    with CaptureQueriesContext(connection) as captured:
        assert Hold.objects.with_drop_state().get().is_payable(now=now) == payable
    assert len(captured) == 1
