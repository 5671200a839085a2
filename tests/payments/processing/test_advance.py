"""Orders are advanced against a sandbox that really runs."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from drops import holds
from drops.models import Hold, Unit
from payments import invariants
from payments.models import Attempt, LedgerEntry, Order, Payment
from payments.orders import status
from payments.processing import advance, lease, recovery, transitions
from shop.core.models import Email
from tests.deploy.stripe_sandbox import process
from tests.payments.order_factory import make_order, states, submit

pytestmark = pytest.mark.usefixtures("transactional_db")


def broken(order: Order) -> Any:
    return [(check.name, check.detail) for check in invariants.check(drop=order.hold.drop) if not check.ok]


def attempts(order: Order) -> Any:
    return list(Attempt.objects.filter(payment__order=order).values_list("state", "decline_code"))


def read(order: Order) -> Any:
    return status.derive(order=Order.objects.select_related("payment", "hold").get(pk=order.pk))


def sweep(order: Order) -> Any:
    """Advance the order as a later sweep would."""
    Order.objects.filter(pk=order.pk).update(leased_until=F("leased_until") - timedelta(minutes=1))
    return advance.advance_order(order_id=order.pk)


def test_advance_captures_what_the_bank_authorises(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)
    assert read(order).name == "asking"

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("captured", "allocated")
    entry = LedgerEntry.objects.get(order=order)
    assert (entry.kind, entry.amount, entry.currency) == ("capture", 10090, "EUR")
    assert read(order).name == "placed"
    assert broken(order) == []


def test_advance_writes_one_email_with_the_numbers(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)

    advance.advance_order(order_id=order.pk)
    advance.advance_order(order_id=order.pk)

    email = Email.objects.get(about=f"order:{order.uuid}")
    number = Unit.objects.get(hold=order.hold).number
    assert f"No. {number} of 1" in email.text
    assert f"No. {number} of 1" in email.html
    assert (email.to, order.number in email.text) == ("ada@example.com", True)


def test_advance_reopens_the_hold_after_a_decline_and_the_same_intent_is_confirmed_again(
    sandbox: process.SandboxProcess,
) -> None:
    order = make_order(sandbox, card="visa_chargeDeclinedInsufficientFunds")

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("created", "open")
    assert attempts(order) == [("declined", "insufficient_funds")]
    order_status = read(order)
    assert (order_status.name, "isn't enough money" in order_status.message) == ("declined", True)
    intent = Payment.objects.get(order=order).intent_id

    again = submit(order.hold, sandbox.token())
    advance.advance_order(order_id=order.pk)

    assert again.pk == order.pk
    assert states(order) == ("captured", "allocated")
    assert Payment.objects.get(order=order).intent_id == intent
    assert broken(order) == []


@pytest.mark.parametrize("token", ["of another mode", "used before"])
def test_advance_asks_for_the_card_again_if_its_token_cannot_be_used(
    sandbox: process.SandboxProcess, token: str
) -> None:
    order = make_order(sandbox)
    bad = sandbox.live_token()
    if token == "used before":
        bad = sandbox.token()
        sandbox.client.v1.payment_intents.confirm(sandbox.intent().id, {"confirmation_token": bad})
    Attempt.objects.filter(payment__order=order).update(confirmation_token=bad)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("created", "open")
    assert attempts(order) == [("declined", "card_again")]
    order_status = read(order)
    assert order_status.name == "declined"
    assert (
        order_status.message
        == "Your card details couldn't be read. Please enter them again. You haven't been charged."
    )
    submit(order.hold, sandbox.token())
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("captured", "allocated")
    assert broken(order) == []


def test_advance_gives_a_declined_hold_at_least_two_minutes(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox, card="visa_chargeDeclined")
    Hold.objects.filter(pk=order.hold_id).update(expires_at=F("created_at") + timedelta(seconds=1))

    advance.advance_order(order_id=order.pk)

    hold = Hold.objects.get(pk=order.hold_id)
    assert hold.expires_at - hold.created_at > timedelta(seconds=119)


def test_advance_voids_after_the_third_decline(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox, card="visa_chargeDeclined")
    advance.advance_order(order_id=order.pk)
    for _again in range(2):
        submit(order.hold, sandbox.token("pm_card_visa_chargeDeclined"))
        advance.advance_order(order_id=order.pk)

    assert states(order) == ("voided", "released")
    assert Unit.objects.filter(edition__drop=order.hold.drop, hold=None).count() == 1
    assert "three times" in read(order).message
    assert broken(order) == []


@pytest.mark.parametrize("operation", ["create", "confirm", "capture"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "when": "before"},
        {"kind": "error", "when": "after"},
        {"kind": "drop", "when": "before"},
        {"kind": "drop", "when": "after"},
        {"kind": "outage", "when": "before"},
        {"kind": "lag", "when": "after", "seconds": 3},
    ],
    ids=["500", "done and 500", "dropped", "done and dropped", "outage", "done and too slow"],
)
def test_advance_captures_once_whatever_becomes_of_one_call(
    sandbox: process.SandboxProcess, operation: str, fault: dict[str, Any]
) -> None:
    order = make_order(sandbox)
    sandbox.control("faults", operation=f"payment_intents.{operation}", **fault)

    advance.advance_order(order_id=order.pk)
    for _later in range(3):
        sweep(order)

    assert states(order) == ("captured", "allocated")
    assert LedgerEntry.objects.filter(order=order).count() == 1
    assert Email.objects.filter(about=f"order:{order.uuid}").count() == 1
    assert broken(order) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_advance_records_a_decline_only_for_a_new_charge(sandbox: process.SandboxProcess, when: str) -> None:
    order = make_order(sandbox, card="visa_chargeDeclined")
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when=when)

    advance.advance_order(order_id=order.pk)
    assert states(order) == ("confirming", "paying")
    assert attempts(order) == [("unknown", "")]
    sweep(order)

    assert states(order) == ("created", "open")
    assert [state for state, _code in attempts(order)] == ["declined"]
    assert broken(order) == []


def test_advance_voids_when_the_units_are_gone(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states={"new"})
    holds.release_unpaid(hold=order.hold)  # as if its intent had been canceled meanwhile

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("voided", "released")
    assert "The last piece was sold" in read(order).message
    assert broken(order) == []


def test_advance_withholds_the_units_when_the_capture_is_refused(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states=advance.AUTHORISING_STATES)
    sandbox.control("expire", payment_intent=Payment.objects.get(order=order).intent_id)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("voided", "returned")
    assert Unit.objects.get(edition__drop=order.hold.drop).withheld_reason == "capture refused"
    assert broken(order) == []


def test_advance_leaves_an_order_alone_that_has_a_lease(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)
    assert lease.acquire(order_id=order.pk) is not None

    assert advance.advance_order(order_id=order.pk) is None
    assert states(order) == ("new", "paying")


def test_change_state_refuses_once_the_payment_has_left_its_state(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)
    mine, theirs = (Payment.objects.get(order=order) for _reader in range(2))
    transitions.change_state(theirs, Payment.State.CREATED, intent_id="pi_theirs")

    with pytest.raises(transitions.StateChanged):
        transitions.change_state(mine, Payment.State.CREATED, intent_id="pi_mine")

    assert Payment.objects.get(order=order).intent_id == "pi_theirs"


def test_end_attempt_refuses_an_attempt_that_has_ended(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)
    attempt = Attempt.objects.get(payment__order=order)
    advance.advance_order(order_id=order.pk)

    with pytest.raises(transitions.StateChanged):
        transitions.end_attempt(attempt, Attempt.State.DECLINED, "late")

    assert attempts(order) == [("authorised", "")]


def test_withdraw_releases_a_hold_whose_attempt_was_never_sent(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)
    Attempt.objects.update(created_at=F("created_at") - timedelta(minutes=16))

    assert recovery.withdraw_expired_attempts() == 1

    assert states(order) == ("voided", "released")
    assert attempts(order) == [("withdrawn", "")]
    assert "couldn't reach your bank" in read(order).message
    assert broken(order) == []


def test_withdraw_leaves_an_attempt_alone_that_was_sent_after_all(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox)
    seen = Attempt.objects.get(payment__order=order)
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="before")
    advance.advance_order(order_id=order.pk)

    assert not recovery.withdraw(attempt=seen)

    assert states(order) == ("confirming", "paying")


def test_claim_stalled_finds_an_intent_whose_hold_was_released(sandbox: process.SandboxProcess) -> None:
    order = make_order(sandbox, card="visa_chargeDeclined")
    advance.advance_order(order_id=order.pk)
    holds.release_open(hold=order.hold)
    Payment.objects.update(changed_at=F("changed_at") - timedelta(minutes=1))

    assert recovery.claim_stalled(max_orders=10) == [order.pk]
    assert recovery.claim_stalled(max_orders=10) == []  # claimed for five seconds
    sweep(order)

    assert states(order) == ("voided", "released")
    assert broken(order) == []
