"""Money when two workers or two tabs do the same thing at once."""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now

from drops import holds
from drops.models import Hold
from payments import invariants
from payments.checkout.refusals import HoldLapsed
from payments.models import Attempt, LedgerEntry, Order, Payment
from payments.processing import advance, lease, recovery
from tests.conftest import Race
from tests.deploy.stripe_sandbox import process
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import make_order, states, submit

pytestmark = pytest.mark.ops


def wrong(order: Order) -> Any:
    return [(check.name, check.detail) for check in invariants.check(drop=order.hold.drop) if not check.ok]


def test_paying_twice_at_once_makes_one_order_and_one_attempt(
    race: Race, sandbox: process.SandboxProcess
) -> None:
    hold = make_hold(drop=make_drop(phase="live", quantity=1))
    tokens = [sandbox.token() for _tab in range(4)]

    results = race(4, lambda i: submit(hold, tokens[i]))

    assert len({order.pk for order in results}) == 1
    assert Attempt.objects.count() == 1
    advance.advance_order(order_id=results[0].pk)
    assert states(results[0]) == ("captured", "allocated")
    assert wrong(results[0]) == []


def test_paying_twice_the_careless_way_makes_two_attempts(
    race: Race, sandbox: process.SandboxProcess
) -> None:
    """Control: read the hold, then write, without the guard of the winning UPDATE."""
    hold = make_hold(drop=make_drop(phase="live", quantity=1))
    order = submit(hold, sandbox.token())
    Attempt.objects.all().delete()
    Payment.objects.filter(order=order).update(state=Payment.State.NEW)

    def careless(_i: Any) -> Any:
        if Hold.objects.get(pk=hold.pk).state in {Hold.State.OPEN, Hold.State.PAYING}:
            return Attempt.objects.create(payment=order.payment, confirmation_token="ctoken_x")
        return None

    kinds = Counter(type(result).__name__ for result in race(4, careless))

    assert kinds == {"Attempt": 1, "IntegrityError": 3}  # only the constraint stands between them


def advance_or(other: Callable[[], object] | None, order: Order, i: int) -> object:
    """One of those that race advances the order; each other does something else, or the same."""
    return other() if other and i else advance.advance_order(order_id=order.pk)


def test_advancing_at_once_captures_once_and_neither_voids_the_other(
    race: Race, sandbox: process.SandboxProcess
) -> None:
    for _round in range(4):
        order = make_order(sandbox)

        race(4, partial(advance_or, None, order))
        advance.advance_order(order_id=order.pk)

        assert states(order) == ("captured", "allocated")
        assert LedgerEntry.objects.filter(order=order).count() == 1
        assert wrong(order) == []


def test_advancing_at_once_without_the_lease_still_captures_once(
    race: Race, sandbox: process.SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lease saves work; the guards alone keep the money right."""
    monkeypatch.setattr(lease, "acquire", lambda order_id: Order.objects.get(pk=order_id).leased_until)
    monkeypatch.setattr(lease, "renew", lambda order: None)
    order = make_order(sandbox)

    race(4, lambda _i: advance.advance_order(order_id=order.pk))
    for _later in range(3):
        advance.advance_order(order_id=order.pk)

    assert states(order) == ("captured", "allocated")
    assert LedgerEntry.objects.filter(order=order).count() == 1
    assert wrong(order) == []


def test_allocating_at_once_succeeds_for_all_but_voids_the_careless_way(
    race: Race, sandbox: process.SandboxProcess
) -> None:
    """Control: code that concludes from 0 rows that the units are gone would void a paid order."""
    order = make_order(sandbox)

    def careful(_i: Any) -> Any:
        with transaction.atomic():
            return holds.allocate(hold=order.hold)

    def careless(_i: Any) -> Any:
        moved = Hold.objects.filter(pk=order.hold_id, state=Hold.State.PAYING)
        return "capture" if moved.update(state=Hold.State.ALLOCATED, ended_at=Now()) else "void"

    assert race(4, careful) == [None] * 4
    Hold.objects.filter(pk=order.hold_id).update(state=Hold.State.PAYING, ended_at=None)
    assert Counter(race(4, careless)) == {"capture": 1, "void": 3}


def test_withdrawing_while_the_attempt_is_sent_ends_one_way(
    race: Race, sandbox: process.SandboxProcess
) -> None:
    for _round in range(6):
        order = make_order(sandbox)
        advance.advance_order(order_id=order.pk, states={Payment.State.NEW})
        attempt = Attempt.objects.select_related("payment__order__hold").get(payment__order=order)

        # As a sweep does that found the attempt too old by the database's clock a moment ago.
        race(2, partial(advance_or, partial(recovery.withdraw, attempt=attempt), order))
        advance.advance_order(order_id=order.pk)

        assert states(order) in {("captured", "allocated"), ("voided", "released")}
        assert wrong(order) == []


def test_paying_while_the_hold_is_released_ends_one_way(race: Race, sandbox: process.SandboxProcess) -> None:
    for _round in range(6):
        hold = make_hold(drop=make_drop(phase="live", quantity=1))
        token = sandbox.token()

        def act(i: int, hold: Hold = hold, token: Any = token) -> Any:
            if i:
                return holds.release_open(hold=hold)
            return submit(hold, token)

        paid, _given = race(2, act)

        hold.refresh_from_db()
        assert (hold.state, type(paid)) in {("paying", Order), ("released", HoldLapsed)}
        assert [c.name for c in invariants.check(drop=hold.drop, stripe=False) if not c.ok] == []


def stalled_orders(sandbox: process.SandboxProcess, count: int) -> set[int]:
    """The ids of orders whose confirm got no answer a minute ago."""
    orders = [make_order(sandbox) for _number in range(count)]
    for order in orders:
        advance.advance_order(order_id=order.pk, states={Payment.State.NEW})
    Payment.objects.update(state=Payment.State.CONFIRMING, changed_at=Now() - timedelta(minutes=1))
    return {order.pk for order in orders}


def test_claiming_at_once_claims_each_stalled_order_once(race: Race, sandbox: process.SandboxProcess) -> None:
    stalled = stalled_orders(sandbox, 6)

    claims: Any = race(4, lambda _i: recovery.claim_stalled(max_orders=10))

    assert sorted(order_id for claimed in claims for order_id in claimed) == sorted(stalled)


def test_claiming_at_once_the_careless_way_claims_them_again(
    race: Race, sandbox: process.SandboxProcess
) -> None:
    """Control: read the stalled orders, then mark them, without locking their rows in between."""
    stalled = stalled_orders(sandbox, 2)
    barrier = threading.Barrier(2)

    def careless(_i: int) -> list[int]:
        claimed = list(Payment.objects.filter(checked_at=None).values_list("order_id", flat=True))
        barrier.wait(10)
        Payment.objects.filter(order__in=claimed).update(checked_at=Now())
        return claimed

    claims: Any = race(2, careless)

    assert [set(claimed) for claimed in claims] == [stalled, stalled]
