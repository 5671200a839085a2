"""Payments of a drop that is cancelled: withdrawn, voided, or captured and listed for refund."""

import pytest
from django.test import Client

from drops import drop_actions, holds, queries
from drops.models import Drop
from payments import invariants
from payments.models import Attempt, Order, Payment
from payments.orders import cancellation, links, status
from payments.processing import advance, recovery
from shop.core.models import Email
from tests.deploy.stripe_sandbox import process
from tests.payments.order_factory import make_order, states

pytestmark = pytest.mark.usefixtures("transactional_db")


def cancel(order: Order) -> Drop:
    drop_actions.cancel(drop=order.hold.drop, actor=None)
    queries.clear_cache()  # pages may be a few seconds old
    return Drop.objects.get(pk=order.hold.drop_id)


def reason(order: Order) -> str:
    return Payment.objects.get(order=order).void_reason


def message(order: Order) -> str:
    return status.derive(order=Order.objects.get(pk=order.pk)).message


def broken_rules(order: Order) -> list[str]:
    return [check.name for check in invariants.check(drop=order.hold.drop) if not check.ok]


def test_an_attempt_that_was_not_sent_is_withdrawn(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)
    before = sandbox.state()["counts"].get("payment_intent", 0)
    cancel(order)

    assert recovery.withdraw_attempts_of_cancelled_drops() == 1
    advance.advance_order(order_id=order.pk)

    assert states(order) == ("voided", "released")
    assert (reason(order), Attempt.objects.get().state) == ("cancelled", "withdrawn")
    assert sandbox.state()["counts"].get("payment_intent", 0) == before
    assert message(order).startswith("This drop was cancelled. You haven't been charged")
    assert broken_rules(order) == []


def test_an_attempt_whose_intent_exists_is_withdrawn_and_the_intent_canceled(
    sandbox: process.SandboxProcess,
) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states=[Payment.State.NEW])
    assert states(order) == ("created", "paying")
    cancel(order)

    assert recovery.withdraw_attempts_of_cancelled_drops() == 1
    advance.advance_order(order_id=order.pk)

    assert (states(order), reason(order)) == (("voided", "released"), "cancelled")


def test_attempts_of_other_drops_stay(sandbox: process.SandboxProcess) -> None:
    order, other = make_order(sandbox), make_order(sandbox)
    cancel(order)

    assert recovery.withdraw_attempts_of_cancelled_drops() == 1
    advance.advance_order(order_id=other.pk)

    assert states(other) == ("captured", "allocated")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_payment_at_the_bank_is_voided(sandbox: process.SandboxProcess, when: str) -> None:
    order = make_order(sandbox)
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when=when)
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("confirming", "paying")
    cancel(order)

    advance.advance_order(order_id=order.pk)

    assert (states(order), reason(order)) == (("voided", "released"), "cancelled")
    assert message(order).startswith("This drop was cancelled. You haven't been charged")
    assert list(cancellation.to_refund(drop=order.hold.drop)) == []
    assert broken_rules(order) == []


@pytest.mark.parametrize("until", ["authorised", "capturing", "captured"])
def test_what_was_decided_before_is_captured_and_listed(
    sandbox: process.SandboxProcess, client: Client, until: str
) -> None:
    order = make_order(sandbox)
    earlier = {
        "authorised": advance.AUTHORISING_STATES,
        "capturing": [*advance.AUTHORISING_STATES, Payment.State.AUTHORISED],
        "captured": tuple(advance.STEPS),
    }
    advance.advance_order(order_id=order.pk, states=earlier[until])
    assert states(order) == (until, "allocated")
    drop = cancel(order)
    sentence = drop_actions.consequences(drop=drop)[-1 if until == "captured" else -2]

    advance.advance_order(order_id=order.pk)

    assert ": 1" in sentence
    assert states(order) == ("captured", "allocated")
    assert list(cancellation.to_refund(drop=drop)) == [order]
    assert message(order) == "You've been charged, but this drop was cancelled. The shop will refund you."
    page = client.get(links.order_path(order)).content.decode()
    assert "The shop will refund you." in page
    assert "Yours:" not in page
    email = Email.objects.get()
    assert (
        ("will be refunded" in email.subject) == ("confirmed" not in email.subject) == (until != "captured")
    )
    assert ("Shipping to" in email.text) == (until == "captured")
    assert broken_rules(order) == []


def test_paid_orders_of_a_drop_that_goes_on_are_not_listed(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk)

    assert list(cancellation.to_refund(drop=order.hold.drop)) == []


def test_a_declined_payment_whose_drop_is_cancelled_is_voided(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox, card="chargeDeclined")
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("created", "open")
    cancel(order)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("voided", "released")
    assert "You haven't been charged" in message(order)


def test_a_decline_that_comes_after_the_cancellation_frees_the_units(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox, card="chargeDeclined")
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="before")
    advance.advance_order(order_id=order.pk)
    cancel(order)
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("created", "open")

    holds.expire_due()
    advance.advance_order(order_id=order.pk)

    assert states(order) == ("voided", "released")
    assert broken_rules(order) == []
