"""The shop's assumptions about Stripe. `make verify` runs the same tests against Stripe's test mode."""

import uuid
from typing import Any

import pytest
import stripe

from tests.servers import until

Client = stripe.StripeClient


def intent_of(contract: Client, **fields: Any) -> stripe.PaymentIntent:
    params: Any = {
        "amount": 9600,
        "currency": "eur",
        "capture_method": "manual",
        "allowed_payment_method_types": ["card"],
        "metadata": {"order": "contract"},
    }
    return contract.v1.payment_intents.create(params | fields, {"idempotency_key": str(uuid.uuid4())})


def token_of(contract: Client, payment_method: str = "pm_card_visa") -> str:
    return contract.v1.test_helpers.confirmation_tokens.create({"payment_method": payment_method}).id


def authorised(contract: Client) -> stripe.PaymentIntent:
    intent = intent_of(contract)
    return contract.v1.payment_intents.confirm(intent.id, {"confirmation_token": token_of(contract)})


def error_of(error: stripe.StripeError) -> stripe.ErrorObject:
    assert error.error is not None
    return error.error


def test_new_intent_requires_a_payment_method(contract: Client) -> None:
    intent = intent_of(contract)

    assert (intent.status, intent.amount, intent.currency) == ("requires_payment_method", 9600, "eur")
    assert (intent.amount_capturable, intent.amount_received, intent.livemode) == (0, 0, False)
    assert intent.capture_method == "manual"
    assert intent.metadata.to_dict() == {"order": "contract"}
    assert str(intent.client_secret).startswith(f"{intent.id}_secret_")


def test_confirm_authorises_and_capture_charges(contract: Client) -> None:
    confirmed = authorised(contract)
    captured = contract.v1.payment_intents.capture(confirmed.id)

    assert (confirmed.status, confirmed.amount_capturable) == ("requires_capture", 9600)
    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 9600, 0)
    charge = contract.v1.charges.retrieve(str(captured.latest_charge))
    assert (charge.payment_intent, charge.captured, charge.amount_captured) == (confirmed.id, True, 9600)


def test_authorisation_has_card_details_and_capture_deadline(contract: Client) -> None:
    confirmed = authorised(contract)

    charge = contract.v1.charges.retrieve(str(confirmed.latest_charge))
    assert charge.payment_method_details is not None
    card = charge.payment_method_details.card
    assert card is not None
    assert (card.brand, card.last4, card.exp_year is not None) == ("visa", "4242", True)
    assert card.fingerprint
    assert card.capture_before is not None
    assert card.capture_before > charge.created + 86400
    contract.v1.payment_intents.cancel(confirmed.id)


@pytest.mark.parametrize(
    ("payment_method", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
    ],
)
def test_declined_intent_is_confirmed_again(
    contract: Client, payment_method: str, code: str, decline_code: str
) -> None:
    intent = intent_of(contract)
    with pytest.raises(stripe.CardError) as raised:
        contract.v1.payment_intents.confirm(
            intent.id, {"confirmation_token": token_of(contract, payment_method)}
        )

    error = error_of(raised.value)
    assert (raised.value.http_status, error.code, error.decline_code) == (402, code, decline_code)
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"
    assert error.payment_intent.last_payment_error is not None
    assert error.payment_intent.last_payment_error.decline_code == decline_code
    again = contract.v1.payment_intents.confirm(intent.id, {"confirmation_token": token_of(contract)})
    assert (again.status, again.last_payment_error) == ("requires_capture", None)
    contract.v1.payment_intents.cancel(intent.id)


def test_cancel_releases_the_authorisation(contract: Client) -> None:
    confirmed = authorised(contract)

    canceled = contract.v1.payment_intents.cancel(confirmed.id)

    charge = contract.v1.charges.retrieve(str(canceled.latest_charge))
    assert (canceled.status, canceled.amount_capturable, canceled.amount_received) == ("canceled", 0, 0)
    assert (charge.captured, charge.refunded) == (False, True)


def test_3d_secure_card_requires_action_and_can_be_canceled(contract: Client) -> None:
    intent = intent_of(contract)

    token = token_of(contract, "pm_card_authenticationRequired")
    confirmed = contract.v1.payment_intents.confirm(intent.id, {"confirmation_token": token})

    assert confirmed.status == "requires_action"
    assert confirmed.next_action is not None
    assert contract.v1.payment_intents.cancel(intent.id).status == "canceled"


def test_token_is_used_up_by_its_first_confirm(contract: Client) -> None:
    token = token_of(contract)
    first, second = intent_of(contract), intent_of(contract)
    contract.v1.payment_intents.confirm(first.id, {"confirmation_token": token})

    with pytest.raises(stripe.InvalidRequestError):
        contract.v1.payment_intents.confirm(second.id, {"confirmation_token": token})

    assert contract.v1.confirmation_tokens.retrieve(token).payment_intent == first.id
    contract.v1.payment_intents.cancel(first.id)


@pytest.mark.parametrize("verb", ["confirm", "capture", "cancel"])
def test_succeeded_intent_is_returned_with_the_error(contract: Client, verb: str) -> None:
    confirmed = authorised(contract)
    contract.v1.payment_intents.capture(confirmed.id)

    with pytest.raises(stripe.InvalidRequestError) as raised:
        getattr(contract.v1.payment_intents, verb)(confirmed.id)

    error = error_of(raised.value)
    assert (raised.value.http_status, error.code) == (400, "payment_intent_unexpected_state")
    assert error.payment_intent is not None
    assert (error.payment_intent.id, error.payment_intent.status) == (confirmed.id, "succeeded")


def test_same_key_returns_the_same_intent(contract: Client) -> None:
    key = str(uuid.uuid4())
    first, second = (
        contract.v1.payment_intents.create({"amount": 9600, "currency": "eur"}, {"idempotency_key": key})
        for _ in range(2)
    )

    assert first.id == second.id
    assert second.last_response is not None
    assert (second.last_response.headers or {})["Idempotent-Replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError) as raised:
        contract.v1.payment_intents.create({"amount": 9700, "currency": "eur"}, {"idempotency_key": key})
    assert raised.value.http_status == 400


def test_decline_is_replayed_for_its_key(contract: Client) -> None:
    intent, key = intent_of(contract), str(uuid.uuid4())
    token = token_of(contract, "pm_card_visa_chargeDeclined")
    for _ in range(2):
        with pytest.raises(stripe.CardError) as raised:
            contract.v1.payment_intents.confirm(
                intent.id, {"confirmation_token": token}, {"idempotency_key": key}
            )

    assert (raised.value.headers or {})["Idempotent-Replayed"] == "true"
    assert len(contract.v1.charges.list({"payment_intent": intent.id}).data) == 1


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"currency": "eur"}, "parameter_missing", "amount"),
        ({"amount": 1, "currency": "eur"}, "amount_too_small", "amount"),
        ({"amount": 9600, "currency": "eur", "colour": "red"}, "parameter_unknown", "colour"),
        ({"amount": "many", "currency": "eur"}, "parameter_invalid_integer", "amount"),
    ],
)
def test_invalid_parameter_is_named(contract: Client, fields: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        contract.v1.payment_intents.create(fields)  # type: ignore[arg-type]

    assert (raised.value.http_status, raised.value.code, raised.value.param) == (400, code, param)


def test_missing_intent_returns_404(contract: Client) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        contract.v1.payment_intents.retrieve("pi_none")

    assert (raised.value.http_status, raised.value.code) == (404, "resource_missing")


def test_list_created_since_returns_the_newest_first(contract: Client) -> None:
    created = [intent_of(contract) for _ in range(3)]

    found = [
        intent.id
        for intent in contract.v1.payment_intents.list(
            {"created": {"gte": created[0].created}, "limit": 2}
        ).auto_paging_iter()
    ]

    assert [identity for identity in found if identity in {intent.id for intent in created}] == [
        intent.id for intent in created[::-1]
    ]


def test_events_of_a_capture_are_listed(contract: Client) -> None:
    intent = authorised(contract)
    contract.v1.payment_intents.capture(intent.id)
    wanted = {
        "payment_intent.created",
        "payment_intent.amount_capturable_updated",
        "payment_intent.succeeded",
    }

    def seen() -> bool:
        events = contract.v1.events.list({"types": sorted(wanted), "limit": 100}).data
        return {event.type for event in events if event.data.object["id"] == intent.id} == wanted

    until(seen, seconds=30)
    event = contract.v1.events.list({"type": "payment_intent.succeeded", "limit": 1}).data[0]
    assert contract.v1.events.retrieve(event.id).type == "payment_intent.succeeded"
