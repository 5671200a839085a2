"""Cancelling an order before its payment is decided: nobody is charged, whatever the bank says later."""

from collections import Counter
from typing import Any

import pytest
from django.contrib.auth.models import User

from drops.models import Unit
from payments import invariants
from payments.models import Order, Payment
from payments.orders import status
from payments.processing import advance, authorising, cancelling, gateway, recovery
from shop.core.models import AuditEntry
from tests.conftest import Race
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.payments.order_factory import make_order, states, submit

pytestmark = pytest.mark.usefixtures("transactional_db")


def cancel(order: Order, by: Any = None) -> None:
    cancelling.cancel(order=Order.objects.select_related("hold").get(pk=order.pk), by=by)


def finish(order: Order) -> None:
    """Let sweeps and workers do what is left."""
    recovery.withdraw_attempts_of_cancelled_orders()
    for _again in range(2):
        advance.advance_order(order_id=order.pk)


def assert_cancelled(order: Order) -> None:
    assert states(order) == ("voided", "released")
    payment = Payment.objects.get(order=order)
    assert (payment.decision, payment.void_reason) == ("void", "shop")
    assert "The shop cancelled this order." in status.derive(order=Order.objects.get(pk=order.pk)).message
    assert Unit.objects.free().count() == 1
    assert [check.detail for check in invariants.check(drop=order.hold.drop) if not check.ok] == []
    if payment.intent_id:
        assert gateway.retrieve(intent_id=payment.intent_id).status == "canceled"


def unsent(sandbox: SandboxProcess) -> Order:
    return make_order(sandbox)


def created(sandbox: SandboxProcess) -> Order:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states={Payment.State.NEW})
    return order


def at_the_bank(sandbox: SandboxProcess) -> Order:
    order = make_order(sandbox)
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="after")
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("confirming", "paying")
    return order


def declined_at_the_bank(sandbox: SandboxProcess) -> Order:
    order = make_order(sandbox, card="visa_chargeDeclined")
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="after")
    advance.advance_order(order_id=order.pk)
    return order


def declined(sandbox: SandboxProcess) -> Order:
    order = make_order(sandbox, card="visa_chargeDeclined")
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("created", "open")
    return order


def asked_to_confirm(sandbox: SandboxProcess) -> Order:
    order = make_order(sandbox, card="threeDSecure2Required")
    advance.advance_order(order_id=order.pk)
    return order


@pytest.mark.parametrize(
    "make", [unsent, created, at_the_bank, declined_at_the_bank, declined, asked_to_confirm]
)
def test_order_is_voided_wherever_its_payment_is(sandbox: SandboxProcess, make: Any) -> None:
    order, person = make(sandbox), User.objects.create_user("sue")

    cancel(order, person)
    finish(order)

    assert_cancelled(order)
    assert AuditEntry.objects.get(action="order cancelled").actor == person


def test_card_that_is_tried_meanwhile_is_never_sent(sandbox: SandboxProcess) -> None:
    order = declined(sandbox)
    submit(Order.objects.get().hold, sandbox.token())
    cancel(order)

    advance.advance_order(order_id=order.pk)
    assert Payment.objects.get().state == "created"
    finish(order)

    assert_cancelled(order)


@pytest.mark.parametrize("until", [{"confirming", "created", "new"}, None])
def test_what_is_decided_is_captured_and_can_be_refunded(sandbox: SandboxProcess, until: Any) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, **({"states": until} if until else {}))

    with pytest.raises(cancelling.CancelRefused, match="Refund it instead"):
        cancel(order)


def test_order_is_cancelled_once(sandbox: SandboxProcess) -> None:
    order = unsent(sandbox)
    cancel(order)

    with pytest.raises(cancelling.CancelRefused, match="cancelled already"):
        cancel(order)


def cancel_while_it_is_authorised(race: Race, sandbox: SandboxProcess) -> tuple[Order, list[Any]]:
    order = at_the_bank(sandbox)

    def act(number: int) -> object:
        if not number:
            return advance.advance_order(order_id=order.pk)
        cancel(order)
        return None

    results = race(2, act)
    finish(order)
    return order, results


def test_race_of_cancelling_and_authorising_ends_in_one_of_both(race: Race, sandbox: SandboxProcess) -> None:
    outcomes: Counter[str] = Counter()
    for _again in range(4):
        order, results = cancel_while_it_is_authorised(race, sandbox)
        refused = isinstance(results[1], cancelling.CancelRefused)
        assert states(order) == (("captured", "allocated") if refused else ("voided", "released"))
        outcomes[states(order)[0]] += 1
    assert sum(outcomes.values()) == 4


def test_control_of_a_decision_that_is_read_without_the_lock(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read before the order is cancelled and written after it, the decision would be overwritten."""
    order = at_the_bank(sandbox)

    def cancelled_meanwhile(payment: Payment) -> str:
        cancel(order)
        return ""

    monkeypatch.setattr(authorising, "allocate_units", cancelled_meanwhile)
    with monkeypatch.context() as patch:
        patch.setattr(Payment.objects, "select_for_update", Payment.objects.all)
        advance.advance_order(order_id=order.pk, states=advance.AUTHORISING_STATES)

    assert Payment.objects.get(order=order).decision == "capture"
