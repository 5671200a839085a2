"""A payment is in time if Pay was pressed before the hold's end. No limit counts from the first confirm."""

from datetime import timedelta

import pytest
from django.db.models import F

from drops import holds
from drops.models import Hold
from payments import invariants
from payments.checkout.refusals import HoldLapsed
from payments.models import Attempt, Order, Payment
from payments.processing import advance, gateway, recovery
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import make_order, states, submit

pytestmark = pytest.mark.usefixtures("transactional_db")


def let_pass(order: Order, minutes: float) -> None:
    """Move everything that has happened to the order into the past."""
    ago = timedelta(minutes=minutes)
    Hold.objects.filter(pk=order.hold_id).update(
        created_at=F("created_at") - ago, expires_at=F("expires_at") - ago
    )
    Order.objects.filter(pk=order.pk).update(leased_until=F("leased_until") - ago)
    Payment.objects.filter(order=order).update(
        changed_at=F("changed_at") - ago, checked_at=F("checked_at") - ago
    )
    Attempt.objects.filter(payment__order=order).update(
        created_at=F("created_at") - ago, sent_at=F("sent_at") - ago, ended_at=F("ended_at") - ago
    )


def order_in_hold(sandbox: SandboxProcess, *, minutes: int, card: str) -> Order:
    drop = make_drop(phase="live", quantity=1, hold_seconds=minutes * 60)
    return submit(make_hold(drop=drop), sandbox.token(f"pm_card_{card}"))


def assert_no_rule_is_broken(order: Order) -> None:
    assert [check.name for check in invariants.check(drop=order.hold.drop) if not check.ok] == []


@pytest.mark.parametrize("declines", [1, 2])
@pytest.mark.parametrize("minutes", [0, 1, 9, 9.99, 10, 10.01, 11, 14.9])
def test_next_card_is_accepted_until_the_hold_ends(
    sandbox: SandboxProcess, minutes: float, declines: int
) -> None:
    order = order_in_hold(sandbox, minutes=15, card="visa_chargeDeclined")
    advance.advance_order(order_id=order.pk)
    if declines == 2:
        submit(order.hold, sandbox.token("pm_card_visa_chargeDeclined"))
        advance.advance_order(order_id=order.pk)
    let_pass(order, minutes)

    submit(order.hold, sandbox.token())
    advance.advance_order(order_id=order.pk)

    assert states(order) == ("captured", "allocated")
    assert_no_rule_is_broken(order)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("minutes", [1, 9, 11, 16, 24 * 60])
def test_answer_that_took_long_is_allocated_while_the_hold_is_paying(
    sandbox: SandboxProcess, minutes: int, when: str
) -> None:
    order = order_in_hold(sandbox, minutes=5, card="visa")
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when=when)
    advance.advance_order(order_id=order.pk)
    let_pass(order, minutes)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("captured", "allocated")
    assert_no_rule_is_broken(order)


@pytest.mark.parametrize("minutes", [15.1, 20, 600])
def test_next_card_is_refused_after_the_holds_end(sandbox: SandboxProcess, minutes: float) -> None:
    order = order_in_hold(sandbox, minutes=15, card="visa_chargeDeclined")
    advance.advance_order(order_id=order.pk)
    let_pass(order, minutes)

    with pytest.raises(HoldLapsed):
        submit(order.hold, sandbox.token())

    assert Attempt.objects.filter(payment__order=order).count() == 1
    assert holds.expire_due() == 1
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("voided", "released")


def test_authorisation_is_voided_once_its_hold_was_released(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="after")
    advance.advance_order(order_id=order.pk)
    holds.release_unpaid(hold=order.hold)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("voided", "released")
    assert_no_rule_is_broken(order)


@pytest.mark.parametrize(
    ("minutes", "sent"), [(0, True), (9.9, True), (10.1, False), (16, False), (600, False)]
)
@pytest.mark.parametrize("with_intent", [False, True], ids=["new", "intent created"])
def test_attempt_is_sent_within_ten_minutes_or_never(
    sandbox: SandboxProcess, minutes: float, sent: bool, with_intent: bool
) -> None:
    order = order_in_hold(sandbox, minutes=15, card="visa")
    if with_intent:
        advance.advance_order(order_id=order.pk, states={Payment.State.NEW})
    let_pass(order, minutes)

    advance.advance_order(order_id=order.pk)  # before any sweep: a worker that comes late itself

    if sent:
        assert states(order) == ("captured", "allocated")
        assert recovery.withdraw_expired_attempts() == 0
        return
    assert states(order) == ("created", "paying")
    assert gateway.retrieve(intent_id=str(Payment.objects.get(order=order).intent_id)).charge_id == ""
    assert recovery.withdraw_expired_attempts() == 1
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("voided", "released")
    assert Attempt.objects.get(payment__order=order).sent_at is None
    assert_no_rule_is_broken(order)
