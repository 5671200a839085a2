"""Cancelling a drop while somebody takes a hold, pays, or is being charged."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from drops import drop_actions, holds
from drops.models import Drop, Hold, Unit
from payments import invariants
from payments.checkout.refusals import HoldOfCancelledDrop
from payments.models import Attempt, Order, Payment
from payments.processing import advance, recovery, refunds
from tests.admin_clients import SECONDS
from tests.conftest import Race
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.factories import make_drop, make_hold, make_pass
from tests.payments.order_factory import make_order, states, submit
from tests.servers import until

pytestmark = [pytest.mark.ops, pytest.mark.usefixtures("transactional_db")]
NEW, CREATED, CONFIRMING = Payment.State.NEW, Payment.State.CREATED, Payment.State.CONFIRMING
Act = Callable[[], object]


def in_thread(pool: ThreadPoolExecutor, act: Act) -> Any:
    def run() -> object:
        try:
            return act()
        finally:
            connection.close()

    return pool.submit(run)


def cancel(drop: Drop) -> Act:
    return partial(drop_actions.cancel, drop=drop, actor=None)


def one_of(*acts: Act) -> Callable[[int], object]:
    """Return what each of those that race does."""
    return lambda i: acts[i]()


def cancel_while(allocate: Callable[[], object], drop: Drop) -> object:
    """Call `allocate` in a thread while a transaction has cancelled the drop, and has not committed yet."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            drop_actions.cancel(drop=drop, actor=None)
            result = pool.submit(refusal_of, allocate)
            until(lambda: result.done() or waits_for_a_lock(), "the other transaction")
        return result.result(SECONDS)


def refusal_of(act: Callable[[], object]) -> object:
    try:
        with transaction.atomic():
            return act()
    except holds.DropCancelled as refusal:
        return refusal
    finally:
        connection.close()


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


def test_allocating_while_the_drop_is_being_cancelled_waits_and_is_refused(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)

    result = cancel_while(lambda: holds.allocate(hold=order.hold), order.hold.drop)

    assert isinstance(result, holds.DropCancelled)
    assert Hold.objects.get(pk=order.hold_id).state == Hold.State.PAYING


def test_allocating_without_the_drops_lock_is_not_refused(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: read whether the drop is cancelled, without locking its row."""

    def careless(*, drop_id: Any) -> bool:
        return Drop.objects.cancelled().filter(pk=drop_id).exists()

    monkeypatch.setattr(holds, "is_cancelled", careless)
    order = make_order(sandbox)

    cancel_while(lambda: holds.allocate(hold=order.hold), order.hold.drop)

    assert Hold.objects.get(pk=order.hold_id).state == Hold.State.ALLOCATED


def test_cancelling_waits_for_those_who_allocate(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    drop = order.hold.drop
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            holds.allocate(hold=order.hold)
            result = pool.submit(refusal_of, lambda: drop_actions.cancel(drop=drop, actor=None))
            until(waits_for_a_lock, "the cancellation")
        result.result(SECONDS)

    assert Hold.objects.get(pk=order.hold_id).state == Hold.State.ALLOCATED
    assert Drop.objects.get(pk=drop.pk).cancelled_at is not None


def test_cancelling_while_the_bank_answers_ends_one_way(race: Race, sandbox: SandboxProcess) -> None:
    for _round in range(6):
        order = make_order(sandbox)

        race(2, one_of(cancel(order.hold.drop), partial(advance.advance_order, order_id=order.pk)))
        recovery.withdraw_attempts_of_cancelled_drops()
        for _later in range(2):
            advance.advance_order(order_id=order.pk)
        listed = refunds.list_due()

        assert (states(order), listed) in [
            (("captured", "allocated"), 1),
            (("voided", "released"), 0),
        ]
        broken = [check.name for check in invariants.check(drop=order.hold.drop) if not check.ok]
        assert broken == []


def place_during_cancellation(drop: Drop) -> None:
    """Place a hold in a transaction that commits just after the drop was cancelled."""
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        first = drop.editions.get()
        holds.place(drop=drop, pass_=make_pass(drop=drop), quantities={first.pk: 1})
        in_thread(pool, cancel(drop)).result(SECONDS)


def test_hold_that_was_being_taken_is_released_and_never_paid_for(sandbox: SandboxProcess) -> None:
    drop = make_drop(phase="live", quantity=1)
    place_during_cancellation(drop)
    hold = Hold.objects.get()
    assert hold.state == "open"

    with pytest.raises(HoldOfCancelledDrop):
        submit(hold, sandbox.token())
    holds.expire_due()

    assert Hold.objects.get().state == "released"
    assert Unit.objects.free().count() == 1
    assert Order.objects.count() == 0


def test_hold_that_was_being_taken_stays_the_careless_way(sandbox: SandboxProcess) -> None:
    """Control: releasing once, in the cancellation, doesn't reach a hold that isn't committed yet."""
    drop = make_drop(phase="live", quantity=1)
    place_during_cancellation(drop)

    with transaction.atomic():
        assert holds.release_lapsed(lapsed=Hold.objects.lapsed(), max_holds=9) == 0
    assert Hold.objects.get().state == "open"


def test_taking_a_hold_while_the_drop_is_cancelled_ends_one_way(race: Race) -> None:
    for _round in range(6):
        drop = make_drop(phase="live", quantity=1)
        pass_ = make_pass(drop=drop)
        quantities = {drop.editions.get().pk: 1}
        place = partial(holds.place, drop=drop, pass_=pass_, quantities=quantities)

        _cancelled, placed = race(2, one_of(cancel(drop), place))
        holds.expire_due()

        assert type(placed) in {Hold, holds.DropCancelled}
        assert not Hold.objects.filter(drop=drop, state="open").exists()
        assert Unit.objects.free().filter(edition__drop=drop).count() == 1


def test_paying_while_the_drop_is_cancelled_ends_one_way(race: Race, sandbox: SandboxProcess) -> None:
    for _round in range(6):
        hold = make_hold(drop=make_drop(phase="live", quantity=1))
        token = sandbox.token()

        _cancelled, paid = race(2, one_of(cancel(hold.drop), partial(submit, hold, token)))
        recovery.withdraw_attempts_of_cancelled_drops()

        assert type(paid) in {Order, HoldOfCancelledDrop}
        assert Hold.objects.get(pk=hold.pk).state == "released"
        broken = [check.name for check in invariants.check(drop=hold.drop, stripe=False) if not check.ok]
        assert broken == []


@pytest.mark.parametrize("careful", [True, False], ids=["withdraw", "control"])
def test_sending_while_a_sweep_withdraws_ends_one_way_only_behind_the_guard(
    race: Race, sandbox: SandboxProcess, careful: bool
) -> None:
    """Control: withdrawing without asking whether the attempt is still queued forgets what was sent."""
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states={NEW})
    attempt = Attempt.objects.select_related("payment__order__hold__drop").get()
    advance.advance_order(order_id=order.pk, states={CREATED})  # sent, and answered
    assert states(order) == ("authorised", "allocated")
    Drop.objects.update(cancelled_at=timezone.now())

    if careful:
        assert recovery.withdraw(attempt=attempt) is False
        assert Attempt.objects.get().state == "authorised"
    else:
        with pytest.raises(Exception, match="an_unsent_attempt_was_never_sent"), transaction.atomic():
            Attempt.objects.filter(pk=attempt.pk).update(state=Attempt.State.WITHDRAWN)
