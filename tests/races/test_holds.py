"""Many shoppers who want the same units at once."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from drops import holds
from drops.models import Drop, Hold, Unit
from payments import invariants
from tests.conftest import Race
from tests.factories import make_drop, make_hold, make_pass

pytestmark = pytest.mark.ops


def kinds(results: Any) -> Any:
    return Counter(type(result) for result in results)


def wrong(drop: Drop) -> Any:
    return [check for check in invariants.check(drop=drop, stripe=False) if not check.ok]


def place(drop: Drop, quantity: int = 1) -> Any:
    edition = drop.editions.get()
    return lambda i: holds.place(
        drop=drop, pass_=make_pass(drop=drop, index=i), quantities={edition.pk: quantity}
    )


def test_last_unit_goes_to_one_shopper(race: Race) -> None:
    drop = make_drop(phase="live", quantity=1)

    results = race(8, place(drop))

    assert kinds(results) == {Hold: 1, holds.NoneFree: 7}
    assert wrong(drop) == []


def test_two_of_the_last_two_go_to_one_shopper_whole(race: Race) -> None:
    drop = make_drop(phase="live", quantity=2)

    results = race(8, place(drop, quantity=2))

    assert kinds(results) == {Hold: 1, holds.NoneFree: 7}
    assert Unit.objects.filter(hold__isnull=False).count() == 2
    assert wrong(drop) == []


def test_as_many_holds_as_units_when_all_come_at_once(race: Race) -> None:
    drop = make_drop(phase="live", quantity=12)

    results = race(24, place(drop))

    assert kinds(results) == {Hold: 12, holds.NoneFree: 12}
    assert wrong(drop) == []


def test_one_ticket_pressing_eight_times_gets_one_hold(race: Race) -> None:
    drop = make_drop(phase="live", quantity=8)
    edition, pass_ = drop.editions.get(), make_pass(drop=drop)

    results = race(8, lambda _i: holds.place(drop=drop, pass_=pass_, quantities={edition.pk: 1}))

    assert len({result.pk for result in results}) == 1
    assert Unit.objects.filter(hold__isnull=False).count() == 1
    assert wrong(drop) == []


def pay_or_take(hold: Hold, newcomer: Callable[[int], object], i: int) -> object:
    if i:
        holds.pay(hold=hold, version=hold.version)
        return None
    return newcomer(i)


def test_a_lapsed_unit_goes_to_its_payer_or_to_a_newcomer_never_to_both(race: Race) -> None:
    for _round in range(8):
        drop = make_drop(phase="live", quantity=1)
        old = make_hold(drop=drop, index=90)
        lapse(old, seconds=0)
        new = place(drop)

        results = race(2, partial(pay_or_take, old, new))

        old.refresh_from_db()
        assert (old.state == Hold.State.PAYING) == (results[1] is None)
        assert Unit.objects.get(edition__drop=drop).hold_id in {old.pk, getattr(results[0], "pk", None)}
        assert wrong(drop) == []


def test_reclaiming_frees_a_lapsed_hold_for_one_newcomer(race: Race) -> None:
    drop = make_drop(phase="live", quantity=1)
    lapse(make_hold(drop=drop, index=90), seconds=6)

    results = race(6, place(drop))

    assert kinds(results) == {Hold: 1, holds.NoneFree: 5}
    assert wrong(drop) == []


def test_the_careless_way_sells_the_last_unit_twice(race: Race) -> None:
    """Control: look for a free unit, then take it, in two statements."""
    drop = make_drop(phase="live", quantity=1)
    edition = drop.editions.get()
    looked = Barrier(4)

    def careless(i: int) -> Any:
        hold = Hold.objects.create(
            drop=drop,
            currency="EUR",
            expires_at=timezone.now() + timedelta(minutes=5),
            entered_at=timezone.now(),
            ticket=make_pass(drop=drop, index=i).ticket.hex(),
            index=i,
            place=i,
            cursor=i + 1,
        )
        hold.lines.create(edition=edition, quantity=1, price=edition.price)
        unit = Unit.objects.filter(edition=edition, hold=None)[0]
        looked.wait(10)  # everybody has looked before anybody takes
        Unit.objects.filter(pk=unit.pk).update(hold=hold)
        return hold

    results = race(4, careless)

    assert kinds(results) == {Hold: 4}
    assert [check.name for check in wrong(drop)] == ["each live hold owns exactly the units of its lines"]


def lapse(hold: Hold, *, seconds: float) -> None:
    """Let the hold have ended so many seconds ago, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE drops_hold SET expires_at = clock_timestamp() - %s * interval '1 second' WHERE id = %s",
            [seconds, hold.pk],
        )


@pytest.mark.usefixtures("transactional_db")
def test_the_guard_of_lapse_is_the_databases_clock() -> None:
    drop = make_drop(phase="live", quantity=1)
    hold = make_hold(drop=drop)
    lapse(hold, seconds=1)

    with pytest.raises(holds.HoldOver):
        holds.pay(hold=hold, version=hold.version)
    assert holds.expire_due() == 0  # five seconds of grace before the unit moves

    lapse(hold, seconds=6)
    assert holds.expire_due() == 1
