from typing import Any

import pytest

from deploy.local.stripe_sandbox import shapes
from tests.deploy.stripe_sandbox.process import SandboxProcess

Thing = dict[str, Any]


def lacking(shape: Thing, thing: Thing, within: str = "") -> list[str]:
    """Fields of the shape that the thing has not; into objects, as far as the thing has one there."""
    found = []
    for name, example in shape.items():
        full = f"{within}{name}"
        if name not in thing:
            found.append(full)
        elif isinstance(example, dict) and isinstance(thing[name], dict) and name != "metadata":
            found.extend(lacking(example, thing[name], f"{full}."))
    return found


def shape(kind: str) -> Thing:
    return dict(shapes.SHAPES["objects"][kind])


@pytest.mark.parametrize("status", ["requires_payment_method", "requires_capture", "succeeded", "canceled", "declined"])
def test_intent_and_charge_have_every_field(sandbox: SandboxProcess, status: str) -> None:
    intents = sandbox.client.v1.payment_intents
    address = {"line1": "1 Road", "city": "Town", "postal_code": "1", "country": "DE"}
    intent = sandbox.intent(shipping={"name": "Ada", "address": address})
    if status == "declined":
        shortcut = "pm_card_visa_chargeDeclined"
        sandbox.web.post(
            f"{sandbox.base}/v1/payment_intents/{intent.id}/confirm",
            data={"confirmation_token": sandbox.token(shortcut)},
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
    assert lacking(shape("payment_intent"), found.to_dict()) == []
    for charge in sandbox.client.v1.charges.list({"payment_intent": intent.id}).data:
        assert lacking(shape("charge"), charge.to_dict()) == []


def test_token_has_every_field(sandbox: SandboxProcess) -> None:
    token = sandbox.client.v1.confirmation_tokens.retrieve(sandbox.token()).to_dict()
    wanted = shape("confirmation_token")
    wanted["payment_method_preview"] = {
        name: example for name, example in wanted["payment_method_preview"].items() if name != "us_bank_account"
    } | {"card": shape("payment_method")["card"]}

    assert lacking(wanted, token) == []
    assert token["expires_at"] == token["created"] + 12 * 3600


def test_payment_method_has_every_field(sandbox: SandboxProcess) -> None:
    method = str(sandbox.confirmed().payment_method)

    assert lacking(shape("payment_method"), sandbox.client.v1.payment_methods.retrieve(method).to_dict()) == []


def test_event_has_every_field_and_the_object_as_it_was(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()
    sandbox.client.v1.payment_intents.cancel(intent.id)

    listed = sandbox.client.v1.events.list({"types": ["payment_intent.created"], "limit": 1}).data[0]
    event = sandbox.client.v1.events.retrieve(listed.id).to_dict()

    wanted = shape("event")
    wanted["data"] = {"object": shape("payment_intent")}
    assert lacking(wanted, event) == []
    assert event["data"]["object"]["id"] == intent.id
    assert event["data"]["object"]["status"] == "requires_payment_method"
    assert event["api_version"] == shapes.API_VERSION


def test_authorisation_says_until_when_it_can_be_captured(sandbox: SandboxProcess) -> None:
    charge = sandbox.client.v1.charges.retrieve(str(sandbox.confirmed().latest_charge))

    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.capture_before == charge.created + 7 * 86400
    assert charge.payment_method_details.card.amount_authorized == 9600


def test_events_of_a_purchase_come_in_stripes_order(sandbox: SandboxProcess) -> None:
    intent = sandbox.confirmed()
    sandbox.client.v1.payment_intents.capture(intent.id)

    events = sandbox.client.v1.events.list({"limit": 5}).data

    assert [event.type for event in events[::-1]] == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.amount_capturable_updated",
        "charge.captured",
        "payment_intent.succeeded",
    ]
