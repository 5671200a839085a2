from typing import Any

import pytest
import stripe

from deploy.local.stripe_sandbox.faults import FaultInjector, InvalidFault
from tests.deploy.stripe_sandbox.process import SandboxProcess

PARAMS: Any = {"amount": 9600, "currency": "eur"}


def create(sandbox: SandboxProcess, key: str) -> stripe.PaymentIntent:
    return sandbox.client.v1.payment_intents.create(PARAMS, {"idempotency_key": key})


def count(sandbox: SandboxProcess) -> int:
    return int(sandbox.state()["counts"]["payment_intent"])


def test_error_before_changes_nothing_and_allows_a_retry(sandbox: SandboxProcess) -> None:
    sandbox.control("faults", kind="error", operation="payment_intents.create", when="before", times=2)
    before = count(sandbox)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as raised:
            create(sandbox, "error-before")

    assert raised.value.http_status == 500
    assert count(sandbox) == before
    assert create(sandbox, "error-before").status == "requires_payment_method"


def test_error_after_hides_the_change_and_is_replayed(sandbox: SandboxProcess) -> None:
    sandbox.control("faults", kind="error", operation="payment_intents.create", when="after")
    before = count(sandbox)
    replayed = []
    for _ in range(2):
        with pytest.raises(stripe.APIError) as raised:
            create(sandbox, "error-after")
        assert raised.value.http_status == 500
        replayed.append((raised.value.headers or {}).get("Idempotent-Replayed"))

    assert replayed == [None, "true"]
    assert count(sandbox) == before + 1


def test_error_after_that_is_not_saved_gives_way_to_the_response(sandbox: SandboxProcess) -> None:
    sandbox.control("faults", kind="error", operation="payment_intents.create", when="after", saved=False)
    before = count(sandbox)
    with pytest.raises(stripe.APIError):
        create(sandbox, "error-lost")

    assert create(sandbox, "error-lost").status == "requires_payment_method"
    assert count(sandbox) == before + 1


def test_error_before_that_is_saved_is_replayed(sandbox: SandboxProcess) -> None:
    sandbox.control("faults", kind="error", operation="payment_intents.create", saved=True)
    before = count(sandbox)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            create(sandbox, "error-kept")

    assert count(sandbox) == before


@pytest.mark.parametrize(("when", "created"), [("before", 0), ("after", 1)])
def test_drop_closes_the_connection_without_a_response(
    sandbox: SandboxProcess, when: str, created: int
) -> None:
    sandbox.control("faults", kind="drop", operation="payment_intents.create", when=when)
    before = count(sandbox)

    with pytest.raises(stripe.APIConnectionError):
        create(sandbox, f"drop-{when}")

    assert count(sandbox) == before + created
    create(sandbox, f"drop-{when}")
    assert count(sandbox) == before + 1


def test_lag_after_makes_the_client_time_out_on_a_completed_call(sandbox: SandboxProcess) -> None:
    sandbox.control("faults", kind="lag", operation="payment_intents.create", when="after", seconds=5)
    impatient = stripe.RequestsClient(timeout=(1, 0.3), session=sandbox.http)
    client = stripe.StripeClient(
        sandbox.environ["SANDBOX_SECRET_KEY"],
        base_addresses={"api": sandbox.base},
        max_network_retries=0,
        http_client=impatient,
    )
    before = count(sandbox)

    with pytest.raises(stripe.APIConnectionError):
        client.v1.payment_intents.create(PARAMS, {"idempotency_key": "lag"})

    assert count(sandbox) == before + 1
    assert create(sandbox, "lag").status == "requires_payment_method"
    assert count(sandbox) == before + 1


def test_outage_affects_every_call_until_it_is_cleared(sandbox: SandboxProcess) -> None:
    sandbox.control("faults", kind="outage", times=None)
    for call in (sandbox.client.v1.payment_intents.list, sandbox.client.v1.events.list, sandbox.intent):
        with pytest.raises(stripe.APIError):
            call()

    sandbox.clear_faults()

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
def test_add_refuses_an_invalid_fault(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidFault):
        FaultInjector().add(fields)


def test_control_api_refuses_other_origins_and_media_types(sandbox: SandboxProcess) -> None:
    url = f"{sandbox.base}/_sandbox/faults"

    assert sandbox.http.post(url, data='{"kind": "drop"}', timeout=5).status_code == 415
    foreign = {"Origin": "https://evil.example"}
    assert sandbox.http.post(url, json={"kind": "drop"}, headers=foreign, timeout=5).status_code == 415
    assert sandbox.http.delete(url, headers=foreign, timeout=5).status_code == 403
    assert sandbox.http.post(url, json={"kind": "flood"}, timeout=5).status_code == 400
    assert sandbox.state()["faults"] == []
