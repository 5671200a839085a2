from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.servers import until


def headers_of(obj: stripe.StripeObject) -> dict[str, str]:
    assert obj.last_response is not None
    return {name.lower(): value for name, value in (obj.last_response.headers or {}).items()}


def create(sandbox: SandboxProcess, key: str, amount: int = 9600) -> stripe.PaymentIntent:
    return sandbox.client.v1.payment_intents.create(
        {"amount": amount, "currency": "eur"}, {"idempotency_key": key}
    )


def test_same_key_and_body_replay_the_response(sandbox: SandboxProcess) -> None:
    first = create(sandbox, "same")
    second = create(sandbox, "same")

    assert second.to_dict() == first.to_dict()
    assert "idempotent-replayed" not in headers_of(first)
    assert headers_of(second)["idempotent-replayed"] == "true"
    assert headers_of(second)["original-request"] == headers_of(first)["request-id"]


def test_replayed_response_is_unchanged_after_the_object_changed(sandbox: SandboxProcess) -> None:
    first = create(sandbox, "moves")
    sandbox.client.v1.payment_intents.cancel(first.id)

    assert create(sandbox, "moves").status == "requires_payment_method"


def test_declined_confirm_is_replayed_without_another_attempt(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()
    token = sandbox.token("pm_card_visa_chargeDeclinedInsufficientFunds")
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as raised:
            sandbox.client.v1.payment_intents.confirm(
                intent.id, {"confirmation_token": token}, {"idempotency_key": f"confirm:{intent.id}"}
            )
        errors.append(raised.value)

    assert errors[0].json_body == errors[1].json_body
    assert errors[1].headers["Idempotent-Replayed"] == "true"  # type: ignore[index]
    assert len(sandbox.client.v1.charges.list({"payment_intent": intent.id}).data) == 1


def test_same_key_with_another_body_is_refused(sandbox: SandboxProcess) -> None:
    create(sandbox, "body")

    with pytest.raises(stripe.IdempotencyError) as raised:
        create(sandbox, "body", amount=9700)

    assert raised.value.http_status == 400


def test_same_key_for_another_endpoint_is_refused(sandbox: SandboxProcess) -> None:
    intent = create(sandbox, "address")

    with pytest.raises(stripe.IdempotencyError):
        sandbox.client.v1.payment_intents.cancel(intent.id, {}, {"idempotency_key": "address"})


def test_key_stays_free_after_invalid_parameters(sandbox: SandboxProcess) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        create(sandbox, "invalid-first", amount=1)

    assert create(sandbox, "invalid-first", amount=9600).amount == 9600


def test_unexpected_state_is_replayed(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as raised:
            sandbox.client.v1.payment_intents.capture(
                intent.id, {}, {"idempotency_key": f"early:{intent.id}"}
            )

    assert raised.value.headers["Idempotent-Replayed"] == "true"  # type: ignore[index]


def test_key_of_a_request_in_progress_is_refused(sandbox: SandboxProcess) -> None:
    sandbox.control("faults", kind="lag", operation="payment_intents.create", seconds=2)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(create, sandbox, "in-use")
        until(lambda: not sandbox.state()["faults"])

        with pytest.raises(stripe.APIError) as raised:
            create(sandbox, "in-use")

        assert raised.value.http_status == 409
        assert raised.value.error is not None
        assert raised.value.error.code == "idempotency_key_in_use"
        assert create(sandbox, "not-in-use").status == "requires_payment_method"
        assert slow.result(10).status == "requires_payment_method"


def test_object_of_a_request_in_progress_is_locked(sandbox: SandboxProcess) -> None:
    intent = sandbox.confirmed_intent()
    sandbox.control("faults", kind="lag", operation="payment_intents.capture", seconds=2)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(sandbox.client.v1.payment_intents.capture, intent.id)
        until(lambda: not sandbox.state()["faults"])

        with pytest.raises(stripe.RateLimitError) as raised:
            sandbox.client.v1.payment_intents.cancel(intent.id)

        assert raised.value.error is not None
        assert raised.value.error.code == "lock_timeout"
        assert slow.result(10).status == "succeeded"
