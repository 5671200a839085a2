"""What a hold may be, and what each verb leaves behind."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from drops import holds
from drops.models import Hold, Pause, Unit
from tests.factories import make_drop, make_edition, make_hold, make_pass

pytestmark = pytest.mark.django_db


def place(drop, quantity=1, index=0, **fields):
    edition = drop.editions.order_by("pk").first()
    return holds.place(drop=drop, pass_=make_pass(drop=drop, index=index, **fields), quantities={edition.pk: quantity})


def free(drop):
    return Unit.objects.filter(edition__drop=drop, hold=None, withheld_at=None).count()


def lapse(hold, seconds=6):
    Hold.objects.filter(pk=hold.pk).update(expires_at=timezone.now() - timedelta(seconds=seconds))


def test_place_copies_pass_price_and_currency():
    drop = make_drop(phase="live")

    hold = place(drop, index=7, cursor=20)

    line = hold.lines.get()
    assert (hold.state, hold.index, hold.place, hold.cursor) == ("open", 7, 7, 20)
    assert (line.quantity, line.price, hold.currency) == (1, 9600, "EUR")
    assert hold.expires_at - hold.created_at == timedelta(seconds=drop.hold_seconds)
    assert free(drop) == 2


def test_place_takes_units_of_several_editions_up_to_the_limit():
    drop = make_drop(phase="live", editions=2)
    first, second = drop.editions.order_by("pk")

    hold = holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={first.pk: 1, second.pk: 1})

    assert sorted(hold.units.values_list("edition_id", flat=True)) == [first.pk, second.pk]


def test_place_asked_again_gives_the_same_hold():
    drop = make_drop(phase="live")

    assert place(drop).pk == place(drop).pk
    assert free(drop) == 2


@pytest.mark.parametrize("quantity", [0, -1, 3])
def test_place_refuses_a_quantity_outside_the_limit(quantity):
    drop = make_drop(phase="live", quantity=9)

    with pytest.raises(holds.WrongQuantity):
        place(drop, quantity=quantity)
    assert Hold.objects.count() == 0


def test_place_refuses_more_in_all_than_the_drop_allows():
    drop = make_drop(phase="live", editions=2)
    first, second = drop.editions.order_by("pk")

    with pytest.raises(holds.WrongQuantity):
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={first.pk: 2, second.pk: 1})


def test_place_refuses_an_edition_of_another_drop():
    drop, other = make_drop(phase="live"), make_drop(phase="live")

    with pytest.raises(holds.ForeignEdition):
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={other.editions.get().pk: 1})


def test_place_refuses_to_hold_nothing():
    drop = make_drop(phase="live")

    with pytest.raises(holds.WrongQuantity):
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={})


@pytest.mark.parametrize("phase", ["announced", "lobby", "opening", "paused", "closed", "cancelled"])
def test_place_refuses_outside_a_live_drop(phase):
    drop = make_drop(phase=phase)

    with pytest.raises(holds.NotLive):
        place(drop)
    assert free(drop) == 3


def test_place_refuses_after_the_closing_time_though_nobody_has_closed_the_drop():
    drop = make_drop(phase="live", closes_at=timezone.now() - timedelta(seconds=1))

    with pytest.raises(holds.NotLive):
        place(drop)


def test_place_offers_what_is_there_and_gives_nothing_unasked():
    drop = make_drop(phase="live", quantity=2)
    place(drop, index=1)

    with pytest.raises(holds.NoneFree) as refusal:
        place(drop, quantity=2, index=2)

    assert (refusal.value.offers, refusal.value.held) == ({drop.editions.get().pk: 1}, 1)
    assert free(drop) == 1


def test_place_says_that_others_may_return_theirs():
    drop = make_drop(phase="live", quantity=1)
    place(drop, index=1)

    with pytest.raises(holds.NoneFree) as refusal:
        place(drop, index=2)

    assert (refusal.value.offers, refusal.value.held) == ({}, 1)
    assert str(refusal.value) == "None available right now. 1 is in a checkout and may come back."


def test_place_says_gone_when_all_are_sold():
    drop = make_drop(phase="live", quantity=1)
    make_hold(drop=drop, index=1, state="allocated")

    with pytest.raises(holds.Gone):
        place(drop, index=2)


def test_place_reclaims_what_lapsed():
    drop = make_drop(phase="live", quantity=1)
    old = place(drop, index=1)
    lapse(old)

    new = place(drop, index=2)

    old.refresh_from_db()
    assert (old.state, new.units.count()) == ("released", 1)


def test_place_reclaims_only_as_much_as_it_needs():
    drop = make_drop(phase="live", quantity=2)
    for index in (1, 2):
        lapse(place(drop, index=index))

    place(drop, index=3)

    assert sorted(Hold.objects.values_list("state", flat=True)) == ["open", "open", "released"]


def test_place_ends_the_tickets_own_lapsed_hold_and_counts_the_new_one():
    drop = make_drop(phase="live", quantity=1)
    lapse(place(drop), seconds=1)

    second = place(drop)

    assert (second.nth, second.units.count()) == (2, 1)


def test_place_refuses_a_third_hold_of_a_ticket():
    drop = make_drop(phase="live")
    for _time in range(2):
        holds.release_open(hold=place(drop))

    with pytest.raises(holds.UsedUp):
        place(drop)


def test_place_leaves_withheld_units_alone():
    drop = make_drop(phase="live", quantity=1)
    Unit.objects.update(withheld_at=timezone.now(), withheld_reason="sample")

    with pytest.raises(holds.Gone):
        place(drop)


def test_a_hold_cannot_be_written_for_a_place_that_was_not_called():
    drop = make_drop(phase="live")

    with pytest.raises(IntegrityError, match="held_place_was_called"), transaction.atomic():
        place(drop, index=20, cursor=20)


def test_give_back_frees_an_open_hold_only():
    drop = make_drop(phase="live")
    hold = place(drop)
    holds.pay(hold=hold)

    holds.release_open(hold=hold)

    hold.refresh_from_db()
    assert (hold.state, free(drop)) == ("paying", 2)


def test_expire_due_releases_what_lapsed_but_nothing_in_a_pause():
    live, paused = make_drop(phase="live"), make_drop(phase="live")
    for drop in (live, paused):
        lapse(place(drop))
    Pause.objects.create(drop=paused, began_at=timezone.now())

    assert holds.expire_due() == 1
    assert (free(live), free(paused)) == (3, 2)


def test_pay_is_possible_in_a_pause_after_the_end():
    drop = make_drop(phase="live")
    hold = place(drop)
    lapse(hold)
    Pause.objects.create(drop=drop, began_at=timezone.now())

    holds.pay(hold=hold)

    hold.refresh_from_db()
    assert hold.state == "paying"


def test_pay_refuses_a_lapsed_hold():
    hold = place(make_drop(phase="live"))
    lapse(hold, seconds=0)

    with pytest.raises(holds.HoldOver):
        holds.pay(hold=hold)


def test_reopen_leaves_at_least_two_minutes():
    hold = place(make_drop(phase="live"))
    holds.pay(hold=hold)
    lapse(hold)

    holds.reopen(hold=hold)

    hold.refresh_from_db()
    assert hold.state == "open"
    assert hold.expires_at > timezone.now() + timedelta(seconds=110)


def test_reopen_does_not_bring_back_a_hold_that_is_over():
    drop = make_drop(phase="live")
    hold = place(drop)
    holds.release_open(hold=hold)

    with pytest.raises(holds.HoldOver):
        holds.reopen(hold=hold)

    hold.refresh_from_db()
    assert (hold.state, free(drop)) == ("released", 3)


def test_allocate_twice_is_as_good_as_once_and_too_late_is_refused():
    drop = make_drop(phase="live")
    hold, over = place(drop, index=1), place(drop, index=2)
    holds.pay(hold=hold)
    holds.allocate(hold=hold)
    holds.allocate(hold=hold)
    holds.release_open(hold=over)

    with pytest.raises(holds.HoldOver):
        holds.allocate(hold=over)


def test_take_back_withholds_the_units():
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop, state="paying")
    holds.allocate(hold=hold)

    holds.withhold(hold=hold, reason="capture refused")

    hold.refresh_from_db()
    unit = Unit.objects.get()
    assert (hold.state, unit.hold_id, unit.withheld_reason) == ("returned", None, "capture refused")
    assert hold.lines.filter(withheld=F("quantity")).count() == 1


@pytest.mark.parametrize("state", ["open", "paying"])
def test_take_back_leaves_alone_what_is_not_allocated(state):
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop, state=state)

    holds.withhold(hold=hold, reason="capture refused")

    hold.refresh_from_db()
    assert (hold.state, hold.units.count()) == (state, 1)


@pytest.mark.parametrize("state", ["paying", "allocated"])
def test_place_never_ends_a_hold_that_is_paid_for_though_its_time_is_over(state):
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop, state=state)
    lapse(hold)

    assert place(drop).pk == hold.pk
    assert holds.expire_due() == 0

    hold.refresh_from_db()
    assert (hold.state, hold.units.count()) == (state, 1)


def test_place_counts_an_editions_own_limit():
    drop = make_drop(phase="live", editions=0)
    edition = make_edition(drop=drop, limit_per_order=1)

    with pytest.raises(holds.WrongQuantity):
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={edition.pk: 2})
