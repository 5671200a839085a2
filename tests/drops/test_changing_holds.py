"""Choosing again: the units of an open hold are swapped, and its end and its number stay."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from drops import holds
from drops.models import Drop, Hold, Pause, Unit
from payments import invariants
from tests.conftest import Race
from tests.factories import make_drop, make_hold, make_pass

pytestmark = [pytest.mark.django_db, pytest.mark.ops]


def make(quantity: int = 3, editions: int = 3, limit: int = 4) -> tuple[Drop, list[int]]:
    """Return a live drop and the ids of its editions."""
    drop = make_drop(phase="live", quantity=quantity, editions=editions, limit_per_order=limit)
    return drop, list(drop.editions.order_by("pk").values_list("pk", flat=True))


def held(hold: Hold) -> dict[int, list[int]]:
    """Return the numbers that a hold has of each edition."""
    numbers: dict[int, list[int]] = {}
    for edition, number in hold.units.order_by("number").values_list("edition", "number"):
        numbers.setdefault(edition, []).append(number)
    return numbers


def counts(hold: Hold) -> dict[int, int]:
    """Return how many units a hold has of each edition, which its lines must agree with."""
    units = {edition: len(numbers) for edition, numbers in held(hold).items()}
    assert dict(hold.lines.values_list("edition", "quantity")) == units
    return units


def assert_consistent(drop: Drop) -> None:
    assert [check for check in invariants.check(drop=drop, stripe=False) if not check.ok] == []


def test_a_third_choice_is_a_change_of_the_same_hold() -> None:
    drop, (small, medium, large) = make()
    hold = make_hold(drop=drop, quantities={small: 1})
    ends = hold.expires_at

    for edition in (medium, large, small, large):
        holds.change(hold=hold, quantities={edition: 1})
        assert counts(hold) == {edition: 1}

    hold.refresh_from_db()
    assert (hold.expires_at, hold.nth, hold.version, Hold.objects.count()) == (ends, 1, 5, 1)
    assert_consistent(drop)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1, 0, 0), (0, 1, 0)),
        ((1, 0, 0), (2, 0, 0)),
        ((2, 0, 0), (1, 0, 0)),
        ((2, 1, 0), (1, 0, 2)),
        ((1, 1, 1), (1, 1, 1)),
        ((3, 0, 0), (0, 3, 0)),
        ((1, 2, 0), (2, 1, 1)),
    ],
)
def test_units_that_stay_keep_their_numbers(before: tuple[int, ...], after: tuple[int, ...]) -> None:
    drop, editions = make()
    wanted = {edition: n for edition, n in zip(editions, after, strict=True) if n}
    hold = make_hold(drop=drop, quantities={e: n for e, n in zip(editions, before, strict=True) if n})
    earlier = held(hold)

    holds.change(hold=hold, quantities=wanted)

    assert counts(hold) == wanted
    for edition, numbers in held(hold).items():
        stay = earlier.get(edition, [])[: len(numbers)]
        assert set(stay) <= set(numbers)
    assert_consistent(drop)


@pytest.mark.parametrize(
    ("others", "title", "offers"),
    [(3, "None available right now.", []), (2, "Only 1 is available right now.", [1])],
)
def test_a_change_that_there_is_not_enough_for_changes_nothing(
    others: int, title: str, offers: list[int]
) -> None:
    drop, (small, medium, _large) = make()
    for index in range(others):
        make_hold(drop=drop, index=index + 1, quantities={medium: 1})
    hold = make_hold(drop=drop, quantities={small: 1})
    before = held(hold)

    with pytest.raises(holds.NoneFree) as refused:
        holds.change(hold=hold, quantities={medium: 2})

    assert (str(refused.value.title), list(refused.value.offers.values())) == (title, offers)
    assert (held(hold), Hold.objects.get(pk=hold.pk).version) == (before, 1)
    assert_consistent(drop)


def test_own_units_count_as_available() -> None:
    drop, (small, _medium, _large) = make(quantity=2)
    make_hold(drop=drop, index=1, quantities={small: 1})
    hold = make_hold(drop=drop, quantities={small: 1})

    with pytest.raises(holds.NoneFree) as refused:
        holds.change(hold=hold, quantities={small: 2})

    assert refused.value.offers == {small: 1}


@pytest.mark.parametrize("quantities", [{}, {0: 1}, {1: 5}, {1: 0}, {1: -1}])
def test_a_choice_that_no_order_may_have_changes_nothing(quantities: dict[int, int]) -> None:
    drop, editions = make()
    hold = make_hold(drop=drop)
    before = held(hold)
    chosen = {editions[0] if key else -1: n for key, n in quantities.items()}

    with pytest.raises((holds.WrongQuantity, holds.ForeignEdition)):
        holds.change(hold=hold, quantities=chosen)

    assert held(hold) == before


def end_with(field: str) -> Callable[[Drop], object]:
    def end(drop: Drop) -> object:
        return Drop.objects.filter(pk=drop.pk).update(**{field: timezone.now() - timedelta(seconds=1)})

    return end


def pause(drop: Drop) -> object:
    return Pause.objects.create(drop=drop, began_at=timezone.now())


@pytest.mark.parametrize(
    ("stop", "refusal"),
    [
        (pause, holds.ChangeRefused),
        (end_with("closed_at"), holds.ChangeRefused),
        (end_with("closes_at"), holds.ChangeRefused),
        (end_with("cancelled_at"), holds.DropCancelled),
    ],
)
def test_a_drop_that_does_not_sell_changes_no_hold(
    stop: Callable[[Drop], object], refusal: type[Exception]
) -> None:
    drop, (small, medium, _large) = make()
    hold = make_hold(drop=drop, quantities={small: 1})
    stop(drop)

    with pytest.raises(refusal):
        holds.change(hold=hold, quantities={medium: 1})

    assert counts(hold) == {small: 1}


@pytest.mark.parametrize("state", ["lapsed", "paying", "allocated", "released"])
def test_a_hold_that_is_not_open_any_more_is_not_changed(state: str) -> None:
    drop, (small, medium, _large) = make()
    hold = make_hold(drop=drop, quantities={small: 1})
    if state == "lapsed":
        Hold.objects.filter(pk=hold.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    elif state == "released":
        holds.release_open(hold=hold)
    else:
        holds.pay(hold=hold, version=1)
    if state == "allocated":
        holds.allocate(hold=hold)
    before = held(hold)

    with pytest.raises(holds.HoldOver):
        holds.change(hold=hold, quantities={medium: 1})

    assert held(hold) == before


@pytest.mark.parametrize("version", [1, 3])
def test_pay_refuses_a_version_that_it_did_not_price(version: int) -> None:
    drop, (_small, medium, _large) = make()
    hold = make_hold(drop=drop)
    holds.change(hold=hold, quantities={medium: 1})

    with pytest.raises(holds.HoldChanged):
        holds.pay(hold=hold, version=version)

    holds.pay(hold=hold, version=2)
    assert Hold.objects.get().state == "paying"


@pytest.mark.usefixtures("transactional_db")
def test_either_the_change_or_the_payment_wins(race: Race) -> None:
    for _round in range(8):
        drop, (small, medium, _large) = make()
        hold = make_hold(drop=drop, quantities={small: 1})

        def change_or_pay(i: int, hold: Hold = hold, medium: int = medium) -> Any:
            if i:
                return holds.pay(hold=hold, version=1)
            return holds.change(hold=hold, quantities={medium: 1})

        changed, paid = race(2, change_or_pay)

        hold.refresh_from_db()
        assert (changed is None) != (paid is None)
        if paid is None:
            assert (type(changed), hold.state, counts(hold)) == (holds.HoldOver, "paying", {small: 1})
        else:
            assert (type(paid), hold.state, counts(hold)) == (holds.HoldChanged, "open", {medium: 1})


def test_the_careless_way_pays_for_units_that_were_swapped() -> None:
    """Control: a payment that doesn't name the version that it priced."""
    drop, (small, medium, _large) = make()
    hold = make_hold(drop=drop, quantities={small: 1})
    priced = counts(hold)

    holds.change(hold=hold, quantities={medium: 1})
    Hold.objects.filter(pk=hold.pk, state="open").update(state="paying")

    assert counts(hold) != priced


@pytest.mark.usefixtures("transactional_db")
def test_two_shoppers_who_swap_with_each_other_do_not_wait_for_each_other(race: Race) -> None:
    drop, (small, medium, _large) = make(quantity=8)
    pairs = [
        (make_hold(drop=drop, pass_=make_pass(drop=drop, index=i), quantities={(small, medium)[i % 2]: 1}), i)
        for i in range(8)
    ]

    race(8, lambda i: holds.change(hold=pairs[i][0], quantities={(medium, small)[i % 2]: 1}))

    for hold, i in pairs:
        assert counts(hold) == {(medium, small)[i % 2]: 1}
    assert Unit.objects.filter(hold__isnull=False).count() == 8
    assert_consistent(drop)
