"""Refunds: requested here or made in Stripe's dashboard, with lost answers, refusals and late failures."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from pytest_django import Settings

from drops.models import Unit
from payments import invariants
from payments.models import Dispute, Event, LedgerEntry, Order, OrderLine, Payment, Refund
from payments.processing import advance, gateway, refunds, webhooks
from payments.processing.refunds import LinePart, RefundRefused
from shop.core.models import Alert, AuditEntry, Email
from tests.deploy.stripe_sandbox import process
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import TOTAL, make_order, submit
from tests.payments.processing.test_webhooks import signed

pytestmark = pytest.mark.usefixtures("transactional_db")

PRICE, SHIPPING = 9600, 490


@pytest.fixture
def paid(sandbox: SandboxProcess) -> Order:
    return captured(sandbox)


def captured(sandbox: SandboxProcess, card: str = "visa", quantity: int = 1) -> Order:
    drop = make_drop(phase="live", quantity=quantity, limit_per_order=quantity)
    hold = make_hold(drop=drop, quantities={drop.editions.get().pk: quantity})
    order = submit(hold, sandbox.token(f"pm_card_{card}"), total=quantity * PRICE + SHIPPING)
    assert advance.advance_order(order_id=order.pk) == "captured"
    return Order.objects.select_related("hold__drop", "payment").get(pk=order.pk)


def part(
    order: Order, amount: int = PRICE, numbers: list[int] | None = None, units: str = "withheld"
) -> LinePart:
    line = OrderLine.objects.get(order=order)
    return LinePart(line=line, amount=amount, numbers=numbers or [], units=units)


def request(order: Order, *parts: LinePart, **fields: Any) -> Refund:
    return refunds.request(order=order, parts=parts, **({"reason": "damaged", "by": None} | fields))


def read(refund: Refund) -> Refund:
    return Refund.objects.get(pk=refund.pk)


def ledger(order: Order) -> list[tuple[str, int]]:
    return list(LedgerEntry.objects.filter(order=order).order_by("pk").values_list("kind", "amount"))


def assert_sound(order: Order) -> None:
    assert [
        (check.name, check.detail) for check in invariants.check(drop=order.hold.drop) if not check.ok
    ] == []


def later() -> None:
    """Let the time pass that a sweep waits for before it tries again."""
    Refund.objects.update(
        changed_at=F("changed_at") - timedelta(days=2), checked_at=F("checked_at") - timedelta(minutes=2)
    )


def send() -> None:
    refunds.send_due()


def at_stripe(order: Order) -> list[tuple[int, str]]:
    found = gateway.refunds(intent_id=order.payment.intent_id or "")
    return [(one.amount, one.status) for one in found]


def deliver(sandbox: SandboxProcess, refund_id: str, event_type: str = "refund.updated") -> None:
    """Deliver an event with a refund as it is at Stripe now."""
    found = sandbox.client.v1.refunds.retrieve(refund_id).to_dict()
    event = {
        "id": f"evt_{Event.objects.count()}", "object": "event", "type": event_type, "livemode": False,
        "data": {"object": found},
    }  # fmt: skip
    webhooks.receive(**signed(json.loads(json.dumps(event, default=str))))
    webhooks.process_stored()


def test_whole_order_is_refunded_once(paid: Order) -> None:
    person = User.objects.create_user("finn")
    refund = request(paid, part(paid, numbers=[1]), shipping=SHIPPING, by=person, note="Broken.")

    for _again in range(3):
        send()

    assert read(refund).state == Refund.State.SUCCEEDED
    assert at_stripe(paid) == [(TOTAL, "succeeded")]
    assert ledger(paid) == [("capture", TOTAL), ("refund", -TOTAL)]
    unit = Unit.objects.get(edition__drop=paid.hold.drop)
    assert (unit.hold, unit.withheld_reason) == (None, "refunded: damaged or faulty")
    entry = AuditEntry.objects.get(action="refund requested")
    assert (entry.actor, entry.after["amount"]) == (person, TOTAL)
    email = Email.objects.get(kind="order refunded")
    assert (email.to, "€100.90" in email.subject) == ("ada@example.com", True)
    assert_sound(paid)


def test_parts_of_an_order_are_refunded_and_the_rest_stays_sold(sandbox: SandboxProcess) -> None:
    order = captured(sandbox, quantity=3)
    numbers = OrderLine.objects.get().numbers

    request(order, part(order, numbers=numbers[:1]), goodwill=400)
    request(order, part(order, amount=1000, numbers=numbers[1:2], units="kept"))
    send()

    assert sorted(at_stripe(order)) == [(1000, "succeeded"), (10000, "succeeded")]
    assert Unit.objects.filter(hold=order.hold).count() == 2
    assert Email.objects.filter(kind="order refunded").count() == 2
    assert_sound(order)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Amount: enter what to refund"),
        ({"amount": -100, "goodwill": 200}, "Amount: enter what to refund"),
        ({"shipping": -1, "goodwill": 2}, "Amount: enter what to refund"),
        ({"amount": 200, "goodwill": -100}, "Amount: enter what to refund"),
        ({"goodwill": TOTAL + 1}, "only €100.90 of this payment is left"),
        ({"shipping": SHIPPING + 1}, "Shipping: only €4.90 of it is left"),
        ({"amount": PRICE + 1}, "only €96 of it is left"),
        ({"amount": PRICE, "numbers": [2]}, "No. 2 isn't one of its pieces."),
    ],
)
def test_more_than_was_paid_is_refused(paid: Order, fields: dict[str, Any], said: str) -> None:
    parts = [part(paid, fields.pop("amount"), fields.pop("numbers", []))] if "amount" in fields else []

    with pytest.raises(RefundRefused) as refused:
        request(paid, *parts, **fields)

    assert said in str(refused.value)
    assert Refund.objects.count() == 0
    assert Unit.objects.filter(hold=paid.hold).count() == 1


def test_what_was_refunded_is_not_refunded_again(paid: Order) -> None:
    request(paid, part(paid, numbers=[1]), shipping=SHIPPING)

    for again in ({"shipping": 1}, {"goodwill": 1}):
        with pytest.raises(RefundRefused, match="left"):
            request(paid, **again)
    with pytest.raises(RefundRefused, match="left to refund"):
        request(paid, part(paid, amount=1))


def test_piece_is_taken_back_once(sandbox: SandboxProcess) -> None:
    order = captured(sandbox, quantity=2)
    number = OrderLine.objects.get().numbers[0]
    request(order, part(order, amount=100, numbers=[number]))

    with pytest.raises(RefundRefused, match=f"No. {number} is part of an earlier refund"):
        request(order, part(order, amount=100, numbers=[number]))


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("voided", "was voided"),
        ("voiding", "was voided"),
        ("created", "isn't decided yet"),
        ("confirming", "isn't"),
    ],
)
def test_what_was_not_captured_is_not_refunded(paid: Order, state: str, said: str) -> None:
    Payment.objects.update(state=state, captured_at=None, decision="")

    with pytest.raises(RefundRefused, match=said):
        request(paid, goodwill=1)


@pytest.mark.parametrize(("state", "refused"), [("open", True), ("inquiry", False)])
def test_disputed_payment_is_not_refunded(paid: Order, state: str, refused: bool) -> None:
    Dispute.objects.create(
        payment=paid.payment, stripe_id="du_1", charge_id="ch_1", state=state, stripe_status="x", amount=TOTAL,
        currency="EUR", opened_at=timezone.now(), livemode=False,
    )  # fmt: skip
    if not refused:
        assert request(paid, goodwill=1).amount == 1
        return
    with pytest.raises(RefundRefused, match="A dispute about this payment is open"):
        request(paid, goodwill=1)


def test_refund_waits_for_the_capture(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    sandbox.control("faults", operation="payment_intents.capture", kind="error", when="before")
    advance.advance_order(order_id=order.pk)
    assert Payment.objects.get().state == "capturing"
    refund = request(Order.objects.get(), goodwill=100)
    send()
    assert read(refund).state == Refund.State.REQUESTED

    advance.advance_order(order_id=order.pk)
    send()

    assert read(refund).state == Refund.State.SUCCEEDED


def test_refund_of_a_payment_that_was_never_captured_is_withdrawn(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox)
    sandbox.control("faults", operation="payment_intents.capture", kind="error", when="before")
    advance.advance_order(order_id=order.pk)
    refund = request(Order.objects.get(), goodwill=100)
    sandbox.control("expire", payment_intent=Payment.objects.get().intent_id)

    advance.advance_order(order_id=order.pk)
    send()

    assert read(refund).state == Refund.State.WITHDRAWN


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "when": "before"},
        {"kind": "error", "when": "after"},
        {"kind": "drop", "when": "before"},
        {"kind": "drop", "when": "after"},
        {"kind": "lag", "when": "after", "seconds": 3},
    ],
    ids=["500", "done and 500", "dropped", "done and dropped", "done and too slow"],
)
def test_money_goes_back_once_whatever_becomes_of_the_call(
    sandbox: SandboxProcess, paid: Order, fault: dict[str, Any]
) -> None:
    refund = request(paid, goodwill=100)
    sandbox.control("faults", operation="refunds.create", **fault)

    for _sweep in range(3):
        send()
        later()

    assert read(refund).state == Refund.State.SUCCEEDED
    assert at_stripe(paid) == [(100, "succeeded")]
    assert ledger(paid) == [("capture", TOTAL), ("refund", -100)]
    assert Email.objects.filter(kind="order refunded").count() == 1


def test_worker_that_died_after_the_call_refunds_once(sandbox: SandboxProcess, paid: Order) -> None:
    refund = request(paid, goodwill=100)
    gateway.refund(intent_id=paid.payment.intent_id or "", amount=100, row=str(refund.uuid), key="k")
    Refund.objects.update(state=Refund.State.SENT, sent_at=Now(), changed_at=Now() - timedelta(minutes=1))

    send()

    assert read(refund).state == Refund.State.SUCCEEDED
    assert at_stripe(paid) == [(100, "succeeded")]


def test_refusal_is_alerted_and_tried_again_until_it_is_mended(sandbox: SandboxProcess, paid: Order) -> None:
    refund = request(paid, goodwill=100)
    Payment.objects.update(intent_id="pi_unknown")
    send()
    later()
    send()

    assert (read(refund).state, read(refund).tries) == ("unknown", 2)
    [alert] = Alert.objects.open()
    assert "Stripe refuses to refund €1 of order" in alert.message

    Payment.objects.update(intent_id=paid.payment.intent_id)
    later()
    send()
    assert read(refund).state == Refund.State.SUCCEEDED
    assert not Alert.objects.open().exists()


class TestLater:
    """What a bank says days later."""

    @pytest.fixture
    def pending(self, sandbox: SandboxProcess) -> Refund:
        order = captured(sandbox, card="pendingRefund")
        refund = request(order, goodwill=100)
        send()
        assert read(refund).state == Refund.State.PENDING
        return read(refund)

    def test_pending_refund_succeeds_and_its_shopper_is_told_once(
        self, sandbox: SandboxProcess, pending: Refund
    ) -> None:
        sandbox.control("refunds", refund=pending.stripe_id, status="succeeded")

        for _twice in range(2):
            deliver(sandbox, pending.stripe_id or "")

        assert read(pending).state == Refund.State.SUCCEEDED
        assert ledger(pending.payment.order) == [("capture", TOTAL), ("refund", -100)]
        assert Email.objects.filter(kind="order refunded").count() == 1

    def test_lost_webhook_is_found_by_a_sweep(self, sandbox: SandboxProcess, pending: Refund) -> None:
        sandbox.control("refunds", refund=pending.stripe_id, status="succeeded")
        later()

        send()

        assert read(pending).state == Refund.State.SUCCEEDED

    @pytest.mark.parametrize("first", ["succeeded", None])
    def test_failure_gives_the_amount_back_and_alerts(
        self, sandbox: SandboxProcess, pending: Refund, first: str | None
    ) -> None:
        if first:
            sandbox.control("refunds", refund=pending.stripe_id, status=first)
            deliver(sandbox, pending.stripe_id or "")
        sandbox.control(
            "refunds", refund=pending.stripe_id, status="failed", failure_reason="lost_or_stolen_card"
        )
        deliver(sandbox, pending.stripe_id or "", "refund.failed")

        order = pending.payment.order
        assert (read(pending).state, read(pending).failure_reason) == ("failed", "lost_or_stolen_card")
        assert ledger(order) == [("capture", TOTAL), ("refund", -100), ("refund failed", 100)]
        [alert] = Alert.objects.open()
        assert "is failed (lost_or_stolen_card). The bank sent it back." in alert.message
        assert_sound(Order.objects.select_related("hold__drop").get())
        assert request(Order.objects.get(), goodwill=TOTAL).amount == TOTAL

    def test_older_report_changes_nothing(self, sandbox: SandboxProcess, pending: Refund) -> None:
        sandbox.control("refunds", refund=pending.stripe_id, status="failed")
        deliver(sandbox, pending.stripe_id or "", "refund.failed")
        sandbox.control("refunds", refund=pending.stripe_id, status="pending")

        deliver(sandbox, pending.stripe_id or "")

        assert read(pending).state == Refund.State.FAILED


class TestDashboard:
    """Refunds that somebody makes in Stripe's dashboard."""

    def refund(self, sandbox: SandboxProcess, order: Order, amount: int) -> str:
        params: Any = {"payment_intent": order.payment.intent_id, "amount": amount}
        return sandbox.client.v1.refunds.create(params).id

    def test_is_recorded_and_somebody_asked_about_its_pieces(
        self, sandbox: SandboxProcess, paid: Order
    ) -> None:
        deliver(sandbox, self.refund(sandbox, paid, 300), "refund.created")

        refund = Refund.objects.get()
        assert (refund.origin, refund.state, refund.amount) == ("stripe", "succeeded", 300)
        assert refund.units_decided_at is None
        assert ledger(paid) == [("capture", TOTAL), ("refund", -300)]
        [alert] = Alert.objects.open()
        assert "€3 of order" in alert.message
        assert_sound(paid)

    def test_counts_against_what_we_may_request(self, sandbox: SandboxProcess, paid: Order) -> None:
        deliver(sandbox, self.refund(sandbox, paid, TOTAL - 10), "refund.created")

        with pytest.raises(RefundRefused, match=r"only €0.10 of this payment is left"):
            request(paid, goodwill=11)

    def test_is_recorded_beside_one_that_leaves_no_room_for_it(
        self, sandbox: SandboxProcess, paid: Order
    ) -> None:
        found = self.refund(sandbox, paid, TOTAL)
        ours = request(paid, goodwill=TOTAL)

        deliver(sandbox, found, "refund.created")
        send()

        assert sorted(Refund.objects.values_list("origin", "state")) == [
            ("shop", "unknown"),
            ("stripe", "succeeded"),
        ]
        assert "has already been refunded" in read(ours).last_error
        assert ledger(paid) == [("capture", TOTAL), ("refund", -TOTAL)]

    @pytest.mark.parametrize("about", ["pi_foreign", ""])
    def test_foreign_refund_is_ignored_in_the_end(
        self, sandbox: SandboxProcess, settings: Settings, about: str
    ) -> None:
        subject = {
            "object": "refund",
            "id": "re_1",
            "payment_intent": about,
            "charge": "ch_9",
            "status": "succeeded",
        }
        payload = {"id": "evt_1", "type": "refund.created", "livemode": False, "data": {"object": subject}}
        webhooks.receive(**signed(payload, process.WEBHOOK_SECRET))
        webhooks.process_stored()
        assert Event.objects.get().state == Event.State.STORED

        Event.objects.update(received_at=Now() - timedelta(minutes=11))
        webhooks.process_stored()

        assert Event.objects.get().state == Event.State.IGNORED

    def test_event_that_cannot_be_processed_holds_up_no_other(
        self, sandbox: SandboxProcess, paid: Order
    ) -> None:
        bad = {
            "object": "refund",
            "id": "re_1",
            "payment_intent": paid.payment.intent_id,
            "status": "succeeded",
        }
        payload = {"id": "evt_bad", "type": "refund.created", "livemode": False, "data": {"object": bad}}
        webhooks.receive(**signed(payload))
        deliver(sandbox, self.refund(sandbox, paid, 300), "refund.created")
        for _again in range(4):
            webhooks.process_stored()

        assert Refund.objects.count() == 1
        event = Event.objects.get(id="evt_bad")
        assert (event.state, event.tries, event.last_error) == ("stored", 5, "'amount'")
        assert Alert.objects.open().filter(subject="Stripe events not processed").exists()
