from typing import Any

import pytest

from deploy.local.stripe_sandbox import objects
from tests.deploy.stripe_sandbox.process import SandboxProcess

StripeObject = dict[str, Any]


def missing_fields(example: StripeObject, obj: StripeObject, prefix: str = "") -> list[str]:
    """Return the fields of the example that the object lacks, nested objects included."""
    missing = []
    for name, value in example.items():
        full_name = f"{prefix}{name}"
        if name not in obj:
            missing.append(full_name)
        elif isinstance(value, dict) and isinstance(obj[name], dict) and name != "metadata":
            missing.extend(missing_fields(value, obj[name], f"{full_name}."))
    return missing


def example(object_type: str) -> StripeObject:
    return dict(objects.SPEC["objects"][object_type])


@pytest.mark.parametrize(
    "status", ["requires_payment_method", "requires_capture", "succeeded", "canceled", "declined"]
)
def test_intent_and_charge_have_every_field(sandbox: SandboxProcess, status: str) -> None:
    intents = sandbox.client.v1.payment_intents
    address = {"line1": "1 Road", "city": "Town", "postal_code": "1", "country": "DE"}
    intent = sandbox.intent(shipping={"name": "Ada", "address": address})
    if status == "declined":
        sandbox.http.post(
            f"{sandbox.base}/v1/payment_intents/{intent.id}/confirm",
            data={"confirmation_token": sandbox.token("pm_card_visa_chargeDeclined")},
            auth=(sandbox.environ["SANDBOX_SECRET_KEY"], ""),
            timeout=5,
        )
    elif status != "requires_payment_method":
        intents.confirm(intent.id, {"confirmation_token": sandbox.token()})
        if status == "succeeded":
            intents.capture(intent.id)
        elif status == "canceled":
            intents.cancel(intent.id)

    found = intents.retrieve(intent.id)
    assert missing_fields(example("payment_intent"), found.to_dict()) == []
    for charge in sandbox.client.v1.charges.list({"payment_intent": intent.id}).data:
        assert missing_fields(example("charge"), charge.to_dict()) == []


def test_token_has_every_field(sandbox: SandboxProcess) -> None:
    token = sandbox.client.v1.confirmation_tokens.retrieve(sandbox.token()).to_dict()
    wanted = example("confirmation_token")
    wanted["payment_method_preview"] = {
        name: example
        for name, example in wanted["payment_method_preview"].items()
        if name != "us_bank_account"
    } | {"card": example("payment_method")["card"]}

    assert missing_fields(wanted, token) == []
    assert token["expires_at"] == token["created"] + 12 * 3600


def test_payment_method_has_every_field(sandbox: SandboxProcess) -> None:
    method = str(sandbox.confirmed_intent().payment_method)

    assert (
        missing_fields(
            example("payment_method"), sandbox.client.v1.payment_methods.retrieve(method).to_dict()
        )
        == []
    )


def test_event_has_every_field_and_a_snapshot_of_the_object(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()
    sandbox.client.v1.payment_intents.cancel(intent.id)

    listed = sandbox.client.v1.events.list({"types": ["payment_intent.created"], "limit": 1}).data[0]
    event = sandbox.client.v1.events.retrieve(listed.id).to_dict()

    wanted = example("event")
    wanted["data"] = {"object": example("payment_intent")}
    assert missing_fields(wanted, event) == []
    assert event["data"]["object"]["id"] == intent.id
    assert event["data"]["object"]["status"] == "requires_payment_method"
    assert event["api_version"] == objects.API_VERSION


def test_authorisation_has_its_capture_deadline(sandbox: SandboxProcess) -> None:
    charge = sandbox.client.v1.charges.retrieve(str(sandbox.confirmed_intent().latest_charge))

    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.capture_before == charge.created + 7 * 86400
    assert charge.payment_method_details.card.amount_authorized == 9600


def test_events_of_a_purchase_have_stripes_order(sandbox: SandboxProcess) -> None:
    intent = sandbox.confirmed_intent()
    sandbox.client.v1.payment_intents.capture(intent.id)

    events = sandbox.client.v1.events.list({"limit": 5}).data

    assert [event.type for event in events[::-1]] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
    ]
