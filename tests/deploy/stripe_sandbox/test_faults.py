from typing import Any

import pytest
import stripe

from deploy.local.stripe_sandbox.faults import BadOrder, Faults
from tests.deploy.stripe_sandbox.process import SandboxProcess

BODY: Any = {"amount": 9600, "currency": "eur"}


def create(sandbox: SandboxProcess, key: str) -> stripe.PaymentIntent:
    return sandbox.client.v1.payment_intents.create(BODY, {"idempotency_key": key})


def count(sandbox: SandboxProcess) -> int:
    return int(sandbox.state()["counts"]["payment_intent"])


def test_error_before_does_nothing_and_can_be_tried_again(sandbox: SandboxProcess) -> None:
    sandbox.order("faults", kind="error", operation="payment_intents.create", when="before", times=2)
    before = count(sandbox)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as refusal:
            create(sandbox, "error-before")

    assert refusal.value.http_status == 500
    assert count(sandbox) == before
    assert create(sandbox, "error-before").status == "requires_payment_method"


def test_error_after_hides_what_was_done_and_is_replayed(sandbox: SandboxProcess) -> None:
    sandbox.order("faults", kind="error", operation="payment_intents.create", when="after")
    before = count(sandbox)
    replayed = []
    for _ in range(2):
        with pytest.raises(stripe.APIError) as refusal:
            create(sandbox, "error-after")
        assert refusal.value.http_status == 500
        replayed.append((refusal.value.headers or {}).get("Idempotent-Replayed"))

    assert replayed == [None, "true"]
    assert count(sandbox) == before + 1


def test_error_after_that_is_not_kept_brings_the_answer_next_time(sandbox: SandboxProcess) -> None:
    sandbox.order("faults", kind="error", operation="payment_intents.create", when="after", saved=False)
    before = count(sandbox)
    with pytest.raises(stripe.APIError):
        create(sandbox, "error-lost")

    assert create(sandbox, "error-lost").status == "requires_payment_method"
    assert count(sandbox) == before + 1


def test_error_before_that_is_kept_is_replayed(sandbox: SandboxProcess) -> None:
    sandbox.order("faults", kind="error", operation="payment_intents.create", saved=True)
    before = count(sandbox)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            create(sandbox, "error-kept")

    assert count(sandbox) == before


@pytest.mark.parametrize(("when", "made"), [("before", 0), ("after", 1)])
def test_dropped_connection_says_nothing(sandbox: SandboxProcess, when: str, made: int) -> None:
    sandbox.order("faults", kind="drop", operation="payment_intents.create", when=when)
    before = count(sandbox)

    with pytest.raises(stripe.APIConnectionError):
        create(sandbox, f"drop-{when}")

    assert count(sandbox) == before + made
    create(sandbox, f"drop-{when}")
    assert count(sandbox) == before + 1


def test_lag_makes_the_client_give_up_on_what_was_done(sandbox: SandboxProcess) -> None:
    sandbox.order("faults", kind="lag", operation="payment_intents.create", when="after", seconds=5)
    hasty = stripe.RequestsClient(timeout=(1, 0.3), session=sandbox.web)
    client = stripe.StripeClient(
        sandbox.environ["SANDBOX_SECRET_KEY"],
        base_addresses={"api": sandbox.base},
        max_network_retries=0,
        http_client=hasty,
    )
    before = count(sandbox)

    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(BODY, {"idempotency_key": "lag"})

    assert count(sandbox) == before + 1
    assert create(sandbox, "lag").status == "requires_payment_method"
    assert count(sandbox) == before + 1


def test_outage_meets_everything_until_it_is_cleared(sandbox: SandboxProcess) -> None:
    sandbox.order("faults", kind="outage", times=None)
    for call in (sandbox.client.v1.payment_intents.list, sandbox.client.v1.events.list, sandbox.intent):
        with pytest.raises(stripe.APIError):
            call()

    sandbox.clear()

    assert sandbox.intent().status == "requires_payment_method"


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "flood"},
        {"kind": "lag", "when": "during"},
        {"kind": "error", "times": 0},
        {"kind": "lag", "seconds": -1},
        {"colour": "red"},
    ],
)
def test_order_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(BadOrder):
        Faults().order(fields)


def test_order_from_another_page_is_refused(sandbox: SandboxProcess) -> None:
    address = f"{sandbox.base}/_sandbox/faults"

    assert sandbox.web.post(address, data='{"kind": "drop"}', timeout=5).status_code == 415
    foreign = {"Origin": "https://evil.example"}
    assert sandbox.web.post(address, json={"kind": "drop"}, headers=foreign, timeout=5).status_code == 415
    assert sandbox.web.delete(address, headers=foreign, timeout=5).status_code == 403
    assert sandbox.web.post(address, json={"kind": "flood"}, timeout=5).status_code == 400
    assert sandbox.state()["faults"] == []
