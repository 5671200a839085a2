"""A cancelled drop sells nothing more. Who was charged is told, and the payment is listed for refund."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from drops import drop_actions, holds
from drops.models import Drop, Hold, Unit
from payments import invariants, tasks
from payments.checkout.refusals import HoldOfCancelledDrop
from payments.models import Attempt, Order, Payment
from payments.orders import cancellation, status
from payments.processing import advance, gateway, notices, recovery, refunds
from shop.core.models import Email
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import make_order, states, submit
from tests.payments.views.conftest import broker, shopper
from tests.payments.views.shopping import address, bring, order_address, pay, text
from tests.payments.views.shopping import make_order as make_order_by_form

__all__ = ["broker", "shopper"]  # fixtures

NEW, CREATED, CONFIRMING = Payment.State.NEW, Payment.State.CREATED, Payment.State.CONFIRMING
ANY_AMOUNT = "any pending amount will disappear from your statement."


def cancel(order: Order) -> None:
    drop_actions.cancel(drop=order.hold.drop, actor=None)


def read(order: Order) -> status.OrderStatus:
    return status.derive(order=Order.objects.select_related("payment", "hold").get(pk=order.pk))


def outcome(order: Order) -> tuple[str, str, str]:
    return (*states(order), Payment.objects.get(order=order).void_reason)


def charge(order: Order) -> str:
    """Return the intent's status at Stripe, or nothing if there is none."""
    intent_id = Payment.objects.get(order=order).intent_id
    return gateway.retrieve(intent_id=intent_id).status if intent_id else ""


def work(order: Order) -> None:
    """Do what sweeps and workers do within a few seconds."""
    recovery.withdraw_attempts_of_cancelled_drops()
    holds.expire_due()
    advance.advance_order(order_id=order.pk)
    refunds.list_due()
    notices.write_due()


def assert_no_rule_is_broken(order: Order) -> None:
    assert [check.name for check in invariants.check(drop=order.hold.drop) if not check.ok] == []


@pytest.mark.usefixtures("transactional_db")
class TestPayments:
    """Payments in each state at the moment of the cancellation."""

    @pytest.mark.parametrize("with_intent", [False, True], ids=["new", "intent created"])
    def test_queued_attempt_is_withdrawn_and_never_sent(
        self, sandbox: SandboxProcess, with_intent: bool
    ) -> None:
        order = make_order(sandbox)
        if with_intent:
            advance.advance_order(order_id=order.pk, states={NEW})
        cancel(order)

        work(order)

        assert outcome(order) == ("voided", "released", "cancelled")
        assert Attempt.objects.get().state == Attempt.State.WITHDRAWN
        assert charge(order) == ("canceled" if with_intent else "")
        assert read(order).message == f"This drop was cancelled. You haven't been charged; {ANY_AMOUNT}"
        assert_no_rule_is_broken(order)

    def test_queued_attempt_is_not_sent_by_a_worker_that_comes_before_the_sweep(
        self, sandbox: SandboxProcess
    ) -> None:
        order = make_order(sandbox)
        cancel(order)

        advance.advance_order(order_id=order.pk)

        assert states(order) == ("created", "paying")
        assert Attempt.objects.get().state == Attempt.State.QUEUED
        assert charge(order) == "requires_payment_method"

    @pytest.mark.parametrize("card", ["visa", "visa_chargeDeclined"])
    @pytest.mark.parametrize("when", ["before", "after"])
    def test_sent_attempt_is_voided_whatever_the_bank_says(
        self, sandbox: SandboxProcess, when: str, card: str
    ) -> None:
        order = make_order(sandbox, card)
        sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when=when)
        advance.advance_order(order_id=order.pk)
        assert states(order) == ("confirming", "paying")
        cancel(order)
        assert read(order).name == "cancelling"

        work(order)

        assert outcome(order) == ("voided", "released", "cancelled")
        assert charge(order) == "canceled"
        assert read(order).name == "over"
        assert_no_rule_is_broken(order)

    def test_declined_payment_ends_with_its_hold(self, sandbox: SandboxProcess) -> None:
        order = make_order(sandbox, "visa_chargeDeclined")
        advance.advance_order(order_id=order.pk)
        assert states(order) == ("created", "open")
        cancel(order)
        assert "This drop was cancelled. You haven't been charged" in read(order).message

        work(order)

        assert outcome(order) == ("voided", "released", "cancelled")
        assert charge(order) == "canceled"
        assert_no_rule_is_broken(order)

    def test_decided_payment_is_captured_then_listed_for_refund(self, sandbox: SandboxProcess) -> None:
        order = make_order(sandbox)
        advance.advance_order(order_id=order.pk, states={NEW, CREATED, CONFIRMING})
        assert states(order) == ("authorised", "allocated")
        cancel(order)
        assert read(order).name == "cancelling"

        work(order)
        work(order)

        payment = Payment.objects.get(order=order)
        assert states(order) == ("captured", "allocated")
        assert payment.refund_due_at is not None
        assert [email.kind for email in Email.objects.filter(about=f"order:{order.uuid}")] == [
            "order cancelled"
        ]
        assert_no_rule_is_broken(order)

    def test_captured_payment_is_listed_for_refund_once_and_its_shopper_told(
        self, sandbox: SandboxProcess
    ) -> None:
        order = make_order(sandbox)
        advance.advance_order(order_id=order.pk)
        assert refunds.list_due() == 0
        cancel(order)

        assert (refunds.list_due(), refunds.list_due()) == (1, 0)
        notices.write_due()
        notices.write_due()

        told = Email.objects.get(kind="order cancelled")
        assert told.subject == f"Order {order.number}: this drop was cancelled"
        for body in (told.text, told.html.replace("&#x27;", "'")):
            assert f"{order.hold.drop.title} was cancelled, so your pieces won't be shipped." in body
            assert (
                "You've been charged €100.90, and the shop will refund you. You don't need to do anything."
                in body
            )
        assert read(order).message == (
            "This drop was cancelled. You've been charged €100.90, and the shop will refund you."
        )
        assert read(order).final

    def test_confirmation_that_could_not_be_written_is_replaced(self, sandbox: SandboxProcess) -> None:
        order = make_order(sandbox)
        advance.advance_order(order_id=order.pk)
        Email.objects.all().delete()
        Payment.objects.update(notice_due=Payment.Notice.CONFIRMATION)
        cancel(order)

        tasks.watch_money()

        assert [email.kind for email in Email.objects.all()] == ["order cancelled"]

    @pytest.mark.parametrize("until", ["authorised", "capturing", "captured"])
    def test_consequences_name_what_is_listed_later(self, sandbox: SandboxProcess, until: str) -> None:
        order = make_order(sandbox)
        earlier = {
            "authorised": advance.AUTHORISING_STATES,
            "capturing": [*advance.AUTHORISING_STATES, Payment.State.AUTHORISED],
            "captured": tuple(advance.STEPS),
        }
        advance.advance_order(order_id=order.pk, states=earlier[until])
        sentence = drop_actions.consequences(drop=order.hold.drop)[-1 if until == "captured" else -2]
        cancel(order)

        work(order)

        assert ": 1" in sentence
        assert [payment.order for payment in cancellation.to_refund(drop=order.hold.drop)] == [order]

    def test_other_drops_go_on(self, sandbox: SandboxProcess) -> None:
        cancelled, other = make_order(sandbox), make_order(sandbox)
        cancel(cancelled)

        work(other)

        assert states(other) == ("captured", "allocated")
        assert Payment.objects.get(order=other).refund_due_at is None
        assert read(other).name == "placed"

    def test_hold_reopened_during_the_cancellation_is_neither_paid_for_nor_kept(
        self, sandbox: SandboxProcess
    ) -> None:
        hold = make_hold(drop=make_drop(phase="live", quantity=1))
        Drop.objects.update(cancelled_at=timezone.now())

        with pytest.raises(HoldOfCancelledDrop):
            submit(hold, sandbox.token())

        assert (Hold.objects.get().state, Order.objects.count()) == ("open", 0)
        assert holds.expire_due() == 1
        assert Unit.objects.free().count() == 1


@pytest.mark.django_db
class TestPages:
    """What shoppers read of a cancelled drop."""

    def test_checkout_says_that_the_drop_was_cancelled(self, shopper: Client) -> None:
        hold = make_hold(drop=make_drop(phase="live"))
        drop_actions.cancel(drop=hold.drop, actor=None)

        pages: list[Any] = [
            shopper.get(address(hold)),
            pay(shopper, hold, headers={}),
            shopper.get(address(hold, "give-back/"), follow=True),
            shopper.get(address(hold, "change/"), follow=True),
        ]

        for page in pages:
            assert page.status_code == 410
            assert (
                "This drop was cancelled. What you held has been released. You haven't been charged."
                in text(page)
            )

    def test_checkout_tells_its_script(self, shopper: Client) -> None:
        hold = make_hold(drop=make_drop(phase="live"))
        drop_actions.cancel(drop=hold.drop, actor=None)

        answer = pay(shopper, hold)

        assert (answer.status_code, answer.json()["detail"]) == (
            410,
            "This drop was cancelled. What you held has been released. You haven't been charged.",
        )

    def test_hold_that_lapsed_before_isnt_blamed_on_the_cancellation(self, shopper: Client) -> None:
        order = make_order_by_form(shopper)
        bring(order, "created", "released")
        drop_actions.cancel(drop=order.hold.drop, actor=None)

        assert "Your hold ended before you paid." in text(shopper.get(order_address(order)))

    @pytest.mark.parametrize(
        ("payment", "hold", "name", "shown"),
        [
            ("confirming", "paying", "cancelling", "If you're charged, the shop will refund you."),
            ("authorised", "allocated", "cancelling", "If you're charged, the shop will refund you."),
            ("capturing", "allocated", "cancelling", "If you're charged, the shop will refund you."),
            ("captured", "allocated", "refund due", "You've been charged €100.90, and the shop will refund you."),
        ],
    )  # fmt: skip
    def test_order_page_says_what_becomes_of_the_money(
        self, shopper: Client, payment: str, hold: str, name: str, shown: str
    ) -> None:
        order = make_order_by_form(shopper)
        fields = {} if payment == "confirming" else {"decision": "capture"}
        bring(order, payment, hold, **fields)
        drop_actions.cancel(drop=order.hold.drop, actor=None)

        page = text(shopper.get(order_address(order)))

        assert "This drop was cancelled" in page
        assert shown in page
        assert "Yours" not in page
        assert shopper.get(order_address(order, "state.json")).json()["state"] == name
