import json
from collections.abc import Callable

import pytest
import stripe

from deploy.local.stripe_sandbox import courier
from tests.deploy.stripe_sandbox.process import WEBHOOK_SECRET, Receiver, SandboxProcess
from tests.servers import until

Own = Callable[..., SandboxProcess]


def test_webhooks_arrive_signed(own_sandbox: Own, receiver: Receiver) -> None:
    sandbox = own_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)

    intent = sandbox.confirmed()

    until(lambda: len(receiver.got) == 3)
    events = receiver.events()
    assert {event.type for event in events} == {
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
    }
    told = next(event for event in events if event.type == "payment_intent.amount_capturable_updated")
    assert told.data.object["id"] == intent.id
    assert told.data.object["status"] == "requires_capture"
    until(lambda: sandbox.client.v1.events.retrieve(told.id).pending_webhooks == 0)


def test_event_that_was_not_taken_comes_again(own_sandbox: Own, receiver: Receiver) -> None:
    sandbox = own_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    receiver.statuses = [500, 302, 400]

    sandbox.intent()

    until(lambda: len(receiver.got) == 4)
    assert len({event.id for event in receiver.events()}) == 1
    until(lambda: sandbox.state()["undelivered"] == 0)


def test_undelivered_event_is_delivered_after_kill_9(own_sandbox: Own, receiver: Receiver) -> None:
    sandbox = own_sandbox(SANDBOX_WEBHOOK_URL=receiver.url, SANDBOX_WEBHOOK_RETRY_SECONDS="60")
    receiver.statuses = [503] * 3
    sandbox.confirmed()
    until(lambda: len(receiver.got) == 3)

    sandbox.kill()
    sandbox.start()

    until(lambda: len(receiver.got) == 6)
    assert sorted(receiver.types()[:3]) == sorted(receiver.types()[3:])
    until(lambda: sandbox.state()["undelivered"] == 0)


def test_delivered_event_does_not_come_again_after_restart(own_sandbox: Own, receiver: Receiver) -> None:
    sandbox = own_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    sandbox.intent()
    until(lambda: sandbox.state()["counts"]["event"] == 1 and sandbox.state()["undelivered"] == 0)
    sandbox.stop()

    sandbox.start()
    sandbox.intent()

    until(lambda: len(receiver.got) >= 2)
    assert len({event.id for event in receiver.events()}) == 2
    assert len(receiver.got) == 2


def test_only_wanted_types_are_delivered(own_sandbox: Own, receiver: Receiver) -> None:
    sandbox = own_sandbox(SANDBOX_WEBHOOK_URL=receiver.url, SANDBOX_WEBHOOK_EVENTS="payment_intent.canceled")

    intent = sandbox.confirmed()
    sandbox.client.v1.payment_intents.cancel(intent.id)

    until(lambda: receiver.got)
    assert receiver.types() == ["payment_intent.canceled"]
    until(lambda: sandbox.state()["undelivered"] == 0)


def test_held_webhooks_leave_when_released(own_sandbox: Own, receiver: Receiver) -> None:
    sandbox = own_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    sandbox.order("webhooks", hold=True)
    sandbox.confirmed()
    until(lambda: sandbox.state()["undelivered"] == 3)
    assert receiver.got == []

    sandbox.order("webhooks")

    until(lambda: len(receiver.got) == 3)


def test_repeated_webhooks_come_so_many_times(own_sandbox: Own, receiver: Receiver) -> None:
    sandbox = own_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    sandbox.order("webhooks", repeat=2, delay=0.05)

    sandbox.intent()

    until(lambda: len(receiver.got) == 3)
    assert len({body for _, body in receiver.got}) == 1


def test_reordered_webhooks_all_come(own_sandbox: Own, receiver: Receiver) -> None:
    sandbox = own_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    sandbox.order("webhooks", reorder=0.3)

    made = [sandbox.intent(amount=1000 + place).id for place in range(12)]

    until(lambda: len(receiver.got) == 12)
    came = [event.data.object["id"] for event in receiver.events()]
    assert sorted(came) == sorted(made)
    assert came != made


def test_event_can_be_sent_once_more(own_sandbox: Own, receiver: Receiver) -> None:
    sandbox = own_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    sandbox.intent()
    until(lambda: len(receiver.got) == 1)

    sandbox.order("webhooks/resend", event=receiver.events()[0].id)

    until(lambda: len(receiver.got) == 2)
    assert receiver.events()[0].id == receiver.events()[1].id


def test_signature_is_what_stripe_makes() -> None:
    body = json.dumps({"object": "event", "name": "Žofie"})

    mark = courier.signature(body, secrets=(WEBHOOK_SECRET,), at=1764000000)

    assert mark == stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, 1764000000)


@pytest.mark.parametrize("secret", ["whsec_old", "whsec_new"])
def test_either_secret_verifies_while_one_is_rolled(secret: str) -> None:
    mark = courier.signature("{}", secrets=("whsec_old", "whsec_new"), at=1764000000)

    assert stripe.WebhookSignature.verify_header("{}", mark, secret)
