import asyncio
import json

import pytest
import stripe

from deploy.local.runner.ports import free_port
from deploy.local.stripe_sandbox import delivery
from tests.deploy.stripe_sandbox.event_loop import run
from tests.deploy.stripe_sandbox.process import WEBHOOK_SECRET, StartSandbox, WebhookReceiver
from tests.servers import until


def post_to(answer: bytes, *, closes: bool) -> int:
    """Post to a server that answers with these bytes, and then closes the connection or keeps it open."""

    async def post() -> int:
        answered = asyncio.Event()

        async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n{}")
            writer.write(answer)
            if not closes:
                await reader.read()  # until the client gives up
            writer.close()
            await writer.wait_closed()
            answered.set()

        server = await asyncio.start_server(respond, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            async with delivery.open_session() as session:
                status = await delivery.post(session, f"http://127.0.0.1:{port}/", body="{}", signature="t=1")
            await answered.wait()
        return status

    return run(post)


def test_webhooks_arrive_signed(start_sandbox: StartSandbox, receiver: WebhookReceiver) -> None:
    sandbox = start_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)

    intent = sandbox.confirmed_intent()

    until(lambda: len(receiver.received) == 3)
    events = receiver.events()
    assert {event.type for event in events} == {
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
    }
    updated = next(event for event in events if event.type == "payment_intent.amount_capturable_updated")
    assert updated.data.object["id"] == intent.id
    assert updated.data.object["status"] == "requires_capture"
    until(lambda: sandbox.client.v1.events.retrieve(updated.id).pending_webhooks == 0)


def test_event_that_was_not_accepted_is_retried(
    start_sandbox: StartSandbox, receiver: WebhookReceiver
) -> None:
    sandbox = start_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    receiver.statuses = [500, 302, 400]

    sandbox.intent()

    until(lambda: len(receiver.received) == 4)
    assert len({event.id for event in receiver.events()}) == 1
    until(lambda: sandbox.state()["undelivered"] == 0)


def test_undelivered_event_is_delivered_after_kill_9(
    start_sandbox: StartSandbox, receiver: WebhookReceiver
) -> None:
    sandbox = start_sandbox(SANDBOX_WEBHOOK_URL=receiver.url, SANDBOX_WEBHOOK_RETRY_SECONDS="60")
    receiver.statuses = [503] * 3
    sandbox.confirmed_intent()
    until(lambda: len(receiver.received) == 3)

    sandbox.kill()
    sandbox.start()

    until(lambda: len(receiver.received) == 6)
    assert sorted(receiver.types()[:3]) == sorted(receiver.types()[3:])
    until(lambda: sandbox.state()["undelivered"] == 0)


def test_delivered_event_is_not_sent_again_after_a_restart(
    start_sandbox: StartSandbox, receiver: WebhookReceiver
) -> None:
    sandbox = start_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    sandbox.intent()
    until(lambda: sandbox.state()["counts"]["event"] == 1 and sandbox.state()["undelivered"] == 0)
    sandbox.stop()

    sandbox.start()
    sandbox.intent()

    until(lambda: len(receiver.received) >= 2)
    assert len({event.id for event in receiver.events()}) == 2
    assert len(receiver.received) == 2


def test_only_subscribed_types_are_delivered(start_sandbox: StartSandbox, receiver: WebhookReceiver) -> None:
    sandbox = start_sandbox(
        SANDBOX_WEBHOOK_URL=receiver.url, SANDBOX_WEBHOOK_EVENTS="payment_intent.canceled"
    )

    intent = sandbox.confirmed_intent()
    sandbox.client.v1.payment_intents.cancel(intent.id)

    until(lambda: receiver.received)
    assert receiver.types() == ["payment_intent.canceled"]
    until(lambda: sandbox.state()["undelivered"] == 0)


def test_held_webhooks_are_delivered_once_released(
    start_sandbox: StartSandbox, receiver: WebhookReceiver
) -> None:
    sandbox = start_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    sandbox.control("webhooks", hold=True)
    sandbox.confirmed_intent()
    until(lambda: sandbox.state()["undelivered"] == 3)
    assert receiver.received == []

    sandbox.control("webhooks")

    until(lambda: len(receiver.received) == 3)


def test_repeat_delivers_additional_copies(start_sandbox: StartSandbox, receiver: WebhookReceiver) -> None:
    sandbox = start_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    sandbox.control("webhooks", repeat=2, delay=0.05)

    sandbox.intent()

    until(lambda: len(receiver.received) == 3)
    assert len({body for _, body in receiver.received}) == 1


def test_reorder_delivers_every_event_in_another_order(
    start_sandbox: StartSandbox, receiver: WebhookReceiver
) -> None:
    sandbox = start_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    sandbox.control("webhooks", reorder=0.3)

    created = [sandbox.intent(amount=1000 + number).id for number in range(12)]

    until(lambda: len(receiver.received) == 12)
    received = [event.data.object["id"] for event in receiver.events()]
    assert sorted(received) == sorted(created)
    assert received != created


def test_resend_delivers_an_event_again(start_sandbox: StartSandbox, receiver: WebhookReceiver) -> None:
    sandbox = start_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    sandbox.intent()
    until(lambda: len(receiver.received) == 1)

    sandbox.control("webhooks/resend", event=receiver.events()[0].id)

    until(lambda: len(receiver.received) == 2)
    assert receiver.events()[0].id == receiver.events()[1].id


def test_delivery_reuses_its_connection(start_sandbox: StartSandbox, receiver: WebhookReceiver) -> None:
    sandbox = start_sandbox(SANDBOX_WEBHOOK_URL=receiver.url)
    for number in range(1, 4):
        sandbox.intent()
        until(lambda expected=number: len(receiver.received) == expected)  # type: ignore[misc]
        until(lambda: sandbox.state()["undelivered"] == 0)

    assert receiver.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="closed without a response"),
        pytest.param(b"not HTTP\r\n\r\n", id="not HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", id="incomplete body"),
    ],
)
def test_post_returns_0_without_a_complete_response(answer: bytes) -> None:
    assert post_to(answer, closes=True) == 0


def test_post_times_out_on_a_response_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "RESPONSE_TIMEOUT_SECONDS", 0.3)

    assert post_to(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nslow", closes=False) == 0


def test_post_returns_0_without_a_listener() -> None:
    async def post() -> int:
        async with delivery.open_session() as session:
            return await delivery.post(
                session, f"http://127.0.0.1:{free_port()}/", body="{}", signature="t=1"
            )

    assert run(post) == 0


def test_post_does_not_follow_redirects() -> None:
    assert post_to(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", closes=True) == 302


def test_signature_header_equals_stripes() -> None:
    body = json.dumps({"object": "event", "name": "Žofie"})

    header = delivery.signature_header(body, secrets=(WEBHOOK_SECRET,), timestamp=1764000000)

    assert header == stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET, 1764000000)


@pytest.mark.parametrize("secret", ["whsec_old", "whsec_new"])
def test_signature_header_verifies_with_each_secret(secret: str) -> None:
    header = delivery.signature_header("{}", secrets=("whsec_old", "whsec_new"), timestamp=1764000000)

    assert stripe.WebhookSignature.verify_header("{}", header, secret)
