"""Faults that a person must look at raise an alert, which is resolved once the payment has moved on."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from drops import admission, holds
from drops.models import Ceiling
from payments import tasks
from payments.models import Attempt, LedgerEntry, Order, Payment
from payments.orders import status
from payments.processing import account, advance, gateway, money_alerts
from shop.core.models import Alert
from tests.deploy.stripe_sandbox.process import SECRET_KEY, SandboxProcess
from tests.payments.order_factory import make_order, states

pytestmark = pytest.mark.usefixtures("transactional_db")


def open_alerts() -> list[str]:
    return list(Alert.objects.open().order_by("subject").values_list("subject", flat=True))


def read(order: Order) -> Order:
    return Order.objects.select_related("payment", "hold").get(pk=order.pk)


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


@pytest.mark.parametrize(("hours", "alerted"), [(23, True), (25, False)])
def test_authorisation_that_ends_soon_is_alerted_until_it_is_captured(
    sandbox: SandboxProcess, hours: int, alerted: bool
) -> None:
    order = authorised_order(sandbox)
    assert payment_of(order).capture_before is not None  # as its charge says
    assert money_alerts.watch_authorisations() == 0
    Payment.objects.update(capture_before=Now() + timedelta(hours=hours))

    assert money_alerts.watch_authorisations() == alerted
    assert open_alerts() == [f"order:{order.number} authorisation ends"] * alerted

    advance.advance_order(order_id=order.pk)
    tasks.watch_money()
    assert open_alerts() == []


@pytest.mark.parametrize("wrong", [{"currency": "XXX"}, {"amount": 10**12}, {"amount": 1}])
def test_payment_that_stripe_will_never_take_ends_at_once(
    sandbox: SandboxProcess, wrong: dict[str, Any]
) -> None:
    order = make_order(sandbox)
    Payment.objects.filter(order=order).update(**wrong)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("voided", "released")
    assert Attempt.objects.get().state == Attempt.State.WITHDRAWN
    assert open_alerts() == [f"drop:{order.hold.drop.slug} payments refused"]
    assert "a fault on our side. You haven't been charged." in status.derive(order=read(order)).message
    assert admission.payment_ceiling().shoppers > 0  # nobody else waits for it


def test_first_confirm_that_stripe_refuses_ends_the_payment(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk, states={Payment.State.NEW})
    intent_id = payment_of(order).intent_id
    Payment.objects.filter(order=order).update(intent_id="pi_unknown")  # Stripe answers 404

    advance.advance_order(order_id=order.pk)
    assert states(order) == ("voiding", "paying")
    assert Attempt.objects.get().decline_code == Attempt.REQUEST_REFUSED

    Payment.objects.filter(order=order).update(intent_id=intent_id, checked_at=Now())
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("voided", "released")
    assert payment_of(order).void_reason == Payment.VoidReason.REQUEST


def test_confirm_that_is_repeated_is_never_given_up(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="after")
    advance.advance_order(order_id=order.pk)
    intent_id = payment_of(order).intent_id
    Payment.objects.filter(order=order).update(intent_id="pi_unknown")

    advance.advance_order(order_id=order.pk)
    assert states(order) == ("confirming", "paying")

    Payment.objects.filter(order=order).update(intent_id=intent_id, checked_at=Now())
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("captured", "allocated")


class TestRefusedKey:
    """Stripe refuses our key: payments end or wait, and nobody is let in until it is mended."""

    def use(self, settings: Settings, key: str) -> None:
        settings.STRIPE_SECRET_KEY = key
        gateway.client.cache_clear()

    def ceilings(self) -> list[int]:
        kind = Ceiling.Kind.PAYMENT_ACCOUNT
        return list(admission.ceilings().filter(kind=kind).values_list("shoppers", flat=True))

    def test_ends_what_was_not_sent_and_stops_admission(
        self, sandbox: SandboxProcess, settings: Settings
    ) -> None:
        order = make_order(sandbox)
        self.use(settings, "sk_test_revoked")

        advance.advance_order(order_id=order.pk)
        account.check()

        assert states(order) == ("voided", "released")
        assert self.ceilings() == [0]
        assert money_alerts.ACCOUNT_SUBJECT in open_alerts()

        self.use(settings, SECRET_KEY)
        account.check()
        assert self.ceilings() == []
        assert money_alerts.ACCOUNT_SUBJECT not in open_alerts()

    def test_concludes_nothing_of_a_capture(self, sandbox: SandboxProcess, settings: Settings) -> None:
        order = authorised_order(sandbox)
        self.use(settings, "sk_test_revoked")

        advance.advance_order(order_id=order.pk)
        assert states(order) == ("capturing", "allocated")
        assert self.ceilings() == [0]

        self.use(settings, SECRET_KEY)
        advance.advance_order(order_id=order.pk)
        assert states(order) == ("captured", "allocated")

    def test_costs_no_call_while_it_is_not_refused(self, sandbox: SandboxProcess, settings: Settings) -> None:
        self.use(settings, "sk_test_revoked")

        account.check()

        assert self.ceilings() == []


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
