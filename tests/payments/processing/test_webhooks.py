"""Events arrive twice, late, in any order, from elsewhere, or forged."""

import json
from datetime import timedelta
from typing import Any

import pytest
import stripe
from django.db.models import F
from django.utils import timezone
from pytest_django import Settings

from payments.models import Event, Payment
from payments.processing import advance, gateway, transitions, webhooks
from tests.deploy.stripe_sandbox import process
from tests.payments.order_factory import make_order, states

pytestmark = pytest.mark.usefixtures("transactional_db")


def event(settings: Any, **fields: Any) -> Any:
    payload = {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "livemode": False,
        "data": {
            "object": {"object": "payment_intent", "id": "pi_1", "metadata": {"shop": settings.SHOP_ORIGIN}}
        },
    }
    return payload | fields


def signed(payload: Any, secret: str = "whsec_sandbox", at: Any = None) -> Any:
    return signed_text(json.dumps(payload), secret, at)


def signed_text(body: Any, secret: str = "whsec_sandbox", at: Any = None) -> Any:
    header = stripe.WebhookSignature.generate_signature_header(body, secret, at)
    return {"body": body.encode(), "signature": header}


def stored() -> Any:
    return list(Event.objects.values_list("id", "state", "reason"))


def test_receive_stores_an_event_once(sandbox: process.SandboxProcess, settings: Settings) -> None:
    for _twice in range(2):
        webhooks.receive(**signed(event(settings)))

    assert stored() == [("evt_1", "stored", "")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"livemode": True}, "other mode"),
        ({"type": "customer.created"}, "unused type"),
        (
            {
                "data": {
                    "object": {
                        "object": "payment_intent",
                        "id": "pi_1",
                        "metadata": {"shop": "https://a.example"},
                    }
                }
            },
            "other deployment",
        ),
    ],
    ids=["other mode", "unused type", "other deployment"],
)
def test_receive_stores_what_is_foreign_as_ignored(
    sandbox: process.SandboxProcess, settings: Settings, fields: dict[str, Any], reason: str
) -> None:
    webhooks.receive(**signed(event(settings, **fields)))

    assert stored() == [("evt_1", "ignored", reason)]


def test_receive_refuses_a_forged_event(sandbox: process.SandboxProcess, settings: Settings) -> None:
    with pytest.raises(gateway.InvalidEvent):
        webhooks.receive(**signed(event(settings), secret="whsec_guess"))
    with pytest.raises(gateway.InvalidEvent):
        webhooks.receive(**signed(event(settings), at=1_600_000_000))
    with pytest.raises(gateway.InvalidEvent):
        webhooks.receive(body=b"{}", signature="")
    assert stored() == []


@pytest.mark.parametrize("payload", ['{"object": "event"}', "[1]", "7", "{"])
def test_receive_refuses_a_signed_body_that_is_not_an_event(
    sandbox: process.SandboxProcess, payload: str
) -> None:
    with pytest.raises(gateway.InvalidEvent):
        webhooks.receive(**signed_text(payload))


def test_receive_refuses_bytes_that_are_not_text(sandbox: process.SandboxProcess) -> None:
    with pytest.raises(gateway.InvalidEvent, match="the body isn't a valid event"):
        webhooks.receive(body=b"\xff", signature="t=1,v1=00")


def test_process_stored_marks_events_of_final_payments(
    sandbox: process.SandboxProcess, settings: Settings
) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk)
    intent = Payment.objects.get(order=order).intent_id
    about = {"object": "payment_intent", "id": intent, "metadata": {"shop": settings.SHOP_ORIGIN}}
    webhooks.receive(**signed(event(settings, data={"object": about})))

    assert webhooks.process_stored() == []
    assert stored() == [("evt_1", "processed", "")]


def test_process_stored_returns_the_order_whose_confirm_got_no_answer(
    sandbox: process.SandboxProcess, settings: Settings
) -> None:
    order = make_order(sandbox)
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="after")
    advance.advance_order(order_id=order.pk)
    intent = Payment.objects.get(order=order).intent_id
    about = {"object": "payment_intent", "id": intent, "metadata": {"shop": settings.SHOP_ORIGIN}}
    webhooks.receive(
        **signed(event(settings, type="payment_intent.amount_capturable_updated", data={"object": about}))
    )

    assert webhooks.process_stored() == []  # the worker that called may still get the answer
    Payment.objects.update(changed_at=F("changed_at") - timedelta(minutes=1))
    Event.objects.update(received_at=F("received_at") - timedelta(seconds=3))
    assert webhooks.process_stored() == [order.pk]
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("captured", "allocated")
    assert webhooks.process_stored() == []


@pytest.mark.parametrize("ahead", [-86_400, -10, 0, 10, 86_400])
def test_process_stored_keeps_an_event_that_came_after_a_worker_asked_by_a_wrong_clock(
    sandbox: process.SandboxProcess, settings: Settings, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    order = make_order(sandbox)
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="after")
    advance.advance_order(order_id=order.pk)
    Payment.objects.update(changed_at=F("changed_at") - timedelta(minutes=1))
    payment = Payment.objects.get(order=order)
    now = timezone.now() + timedelta(seconds=ahead)
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: now)
        transitions.retrieve_intent(payment)

    about = {"object": "payment_intent", "id": payment.intent_id, "metadata": {"shop": settings.SHOP_ORIGIN}}
    webhooks.receive(**signed(event(settings, data={"object": about})))

    webhooks.process_stored()
    assert stored() == [("evt_1", "stored", "")]


def test_process_stored_waits_for_an_event_that_came_before_our_commit_and_then_ignores_it(
    sandbox: process.SandboxProcess, settings: Settings
) -> None:
    webhooks.receive(**signed(event(settings)))

    assert webhooks.process_stored() == []
    assert stored() == [("evt_1", "stored", "")]
    Event.objects.update(received_at=F("received_at") - timedelta(minutes=11))
    webhooks.process_stored()
    assert stored() == [("evt_1", "ignored", "unknown intent")]
