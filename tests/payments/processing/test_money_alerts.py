"""Faults that a person must look at raise an alert, which is resolved once the payment has moved on."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from drops import holds
from payments import tasks
from payments.models import Attempt, LedgerEntry, Order, Payment
from payments.processing import advance, gateway, money_alerts
from shop.core.models import Alert
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.payments.order_factory import make_order, states

pytestmark = pytest.mark.usefixtures("transactional_db")


def open_alerts() -> list[str]:
    return list(Alert.objects.open().order_by("subject").values_list("subject", flat=True))


def payment_of(order: Order) -> Payment:
    return Payment.objects.get(order=order)


def authorised_order(sandbox: SandboxProcess) -> Order:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states=advance.AUTHORISING_STATES)
    return order


def test_capture_that_stripe_refuses_is_alerted_until_it_succeeds(sandbox: SandboxProcess) -> None:
    order = authorised_order(sandbox)
    intent_id = payment_of(order).intent_id
    Payment.objects.filter(order=order).update(intent_id="pi_unknown")  # Stripe answers 404

    for _twice in range(2):
        advance.advance_order(order_id=order.pk)

    assert open_alerts() == [f"order:{order.number} capture refused"]
    message = Alert.objects.get().message
    assert f"Stripe refuses to capture the payment of order {order.number} (€100.90)" in message
    assert "pi_unknown in Stripe's dashboard" in message
    assert money_alerts.resolve_finished() == 0

    Payment.objects.filter(order=order).update(intent_id=intent_id, checked_at=Now())  # as a sweep does
    advance.advance_order(order_id=order.pk)

    assert states(order) == ("captured", "allocated")
    assert money_alerts.resolve_finished() == 1
    assert open_alerts() == []


def test_request_of_ours_that_stripe_refuses_is_alerted(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    Payment.objects.filter(order=order).update(currency="XXX")

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("new", "paying")
    assert open_alerts() == [f"order:{order.number} create refused"]


def test_authorisation_that_stripe_canceled_is_alerted_once(sandbox: SandboxProcess) -> None:
    order = authorised_order(sandbox)
    sandbox.control("expire", payment_intent=payment_of(order).intent_id)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("voided", "returned")
    assert open_alerts() == [f"order:{order.number} authorisation lost"]
    assert money_alerts.resolve_finished() == 1  # nothing is left to wait for


def test_void_of_a_payment_that_was_charged_is_alerted(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states={Payment.State.NEW})
    holds.release_unpaid(hold=order.hold)
    advance.advance_order(order_id=order.pk, states=advance.AUTHORISING_STATES)
    gateway.capture(intent_id=payment_of(order).intent_id or "", key="by hand")

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("voiding", "released")
    assert open_alerts() == [f"order:{order.number} charged instead of voided"]
    assert money_alerts.resolve_finished() == 0


@pytest.mark.parametrize(("minutes", "alerted"), [(9, False), (11, True)])
def test_intent_that_processes_for_ten_minutes_is_alerted_until_the_bank_answers(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, minutes: int, alerted: bool
) -> None:
    order = make_order(sandbox)
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="before")
    advance.advance_order(order_id=order.pk)
    Attempt.objects.update(sent_at=F("sent_at") - timedelta(minutes=minutes))
    processing = gateway.Intent(
        id=payment_of(order).intent_id or "",
        status="processing",
        amount=order.total,
        amount_received=0,
        currency=order.currency,
        livemode=False,
        client_secret="",
        charge_id="",
        card=gateway.Card(),
        decline_code="",
        order=str(order.uuid),
        shop="",
    )
    with monkeypatch.context() as patch:  # the sandbox's cards never process
        patch.setattr(gateway, "retrieve", lambda intent_id: processing)
        advance.advance_order(order_id=order.pk)

    assert open_alerts() == ([f"order:{order.number} still processing"] if alerted else [])
    assert states(order) == ("confirming", "paying")

    advance.advance_order(order_id=order.pk)
    tasks.watch_money()

    assert open_alerts() == []


def test_broken_invariant_is_alerted_until_it_holds_again(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk)
    assert tasks.watch_money() == 0
    Payment.objects.filter(order=order).update(amount=F("amount") + 1)

    assert tasks.watch_money() == 1

    assert open_alerts() == [f"drop:{order.hold.drop.slug} invariants"]
    assert "captured payments, allocated holds and the ledger agree" in Alert.objects.get().message
    Payment.objects.filter(order=order).update(amount=F("amount") - 1)
    assert tasks.watch_money() == 0
    assert open_alerts() == []
    assert LedgerEntry.objects.count() == 1


def test_order_without_a_fault_raises_nothing(sandbox: SandboxProcess) -> None:
    advance.advance_order(order_id=make_order(sandbox).pk)

    assert tasks.watch_money() == 0
    assert Alert.objects.count() == 0
