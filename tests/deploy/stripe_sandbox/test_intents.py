import pytest
import stripe

from tests.deploy.stripe_sandbox.process import SandboxProcess


def error_of(error: stripe.StripeError) -> stripe.ErrorObject:
    assert error.error is not None
    return error.error


def test_declined_intent_is_confirmed_again_and_captured(sandbox: SandboxProcess) -> None:
    intents = sandbox.client.v1.payment_intents
    intent = sandbox.intent(metadata={"order": "7"}, description="One")
    with pytest.raises(stripe.CardError):
        intents.confirm(intent.id, {"confirmation_token": sandbox.token("pm_card_visa_chargeDeclined")})

    declined = intents.retrieve(intent.id)
    confirmed = intents.confirm(intent.id, {"confirmation_token": sandbox.token()})
    captured = intents.capture(intent.id)

    assert declined.status == "requires_payment_method"
    assert declined.last_payment_error is not None
    assert declined.last_payment_error.decline_code == "generic_decline"
    assert (declined.payment_method, declined.amount_capturable) == (None, 0)
    assert (confirmed.status, confirmed.last_payment_error) == ("requires_capture", None)
    assert (captured.status, captured.amount_received, captured.amount_capturable) == ("succeeded", 9600, 0)
    charges = sandbox.client.v1.charges.list({"payment_intent": intent.id}).data
    assert [(charge.status, charge.captured, charge.paid) for charge in charges] == [
        ("succeeded", True, True),
        ("failed", False, False),
    ]
    assert charges[0].id == captured.latest_charge
    assert charges[0].metadata.to_dict() == {"order": "7"}


def test_partial_capture_releases_the_rest(sandbox: SandboxProcess) -> None:
    intent = sandbox.confirmed_intent()

    captured = sandbox.client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 9000})

    charge = sandbox.client.v1.charges.retrieve(str(captured.latest_charge))
    assert (captured.amount_received, charge.amount_captured, charge.amount_refunded) == (9000, 9000, 600)


def test_capture_above_the_authorised_amount_is_refused(sandbox: SandboxProcess) -> None:
    intent = sandbox.confirmed_intent()

    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.capture(intent.id, {"amount_to_capture": 9601})

    assert raised.value.code == "amount_too_large"
    assert sandbox.client.v1.payment_intents.retrieve(intent.id).status == "requires_capture"


def test_cancel_releases_the_authorisation(sandbox: SandboxProcess) -> None:
    intent = sandbox.confirmed_intent()

    canceled = sandbox.client.v1.payment_intents.cancel(intent.id, {"cancellation_reason": "abandoned"})

    charge = sandbox.client.v1.charges.retrieve(str(canceled.latest_charge))
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert (canceled.amount_capturable, canceled.amount_received) == (0, 0)
    assert (charge.captured, charge.refunded, charge.amount_refunded) == (False, True, 9600)


def test_create_without_manual_capture_succeeds_at_once(sandbox: SandboxProcess) -> None:
    intent = sandbox.client.v1.payment_intents.create(
        {
            "amount": 9600,
            "currency": "eur",
            "confirm": True,
            "payment_method": "pm_card_visa",
            "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
        }
    )

    assert (intent.status, intent.amount_received) == ("succeeded", 9600)


def test_confirm_needs_a_return_url_if_a_redirect_is_possible(sandbox: SandboxProcess) -> None:
    intent = sandbox.client.v1.payment_intents.create({"amount": 9600, "currency": "eur"})

    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": sandbox.token()})

    assert raised.value.param == "return_url"
    confirmed = sandbox.client.v1.payment_intents.confirm(
        intent.id,
        {
            "confirmation_token": sandbox.token("pm_card_authenticationRequired"),
            "return_url": "https://shop.example/back",
        },
    )
    assert confirmed.next_action is not None
    assert confirmed.next_action.type == "redirect_to_url"


def test_error_on_requires_action_declines_a_3d_secure_card(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()

    with pytest.raises(stripe.CardError) as raised:
        sandbox.client.v1.payment_intents.confirm(
            intent.id,
            {
                "confirmation_token": sandbox.token("pm_card_authenticationRequired"),
                "error_on_requires_action": True,
            },
        )

    assert raised.value.code == "authentication_required"


@pytest.mark.parametrize("verb", ["confirm", "capture", "cancel"])
def test_captured_intent_refuses_further_steps(sandbox: SandboxProcess, verb: str) -> None:
    intent = sandbox.confirmed_intent()
    sandbox.client.v1.payment_intents.capture(intent.id)

    with pytest.raises(stripe.InvalidRequestError) as raised:
        getattr(sandbox.client.v1.payment_intents, verb)(intent.id)

    error = error_of(raised.value)
    assert (raised.value.http_status, error.code) == (400, "payment_intent_unexpected_state")
    assert error.payment_intent is not None
    assert (error.payment_intent.id, error.payment_intent.status) == (intent.id, "succeeded")


@pytest.mark.parametrize("verb", ["confirm", "capture", "cancel"])
def test_canceled_intent_refuses_further_steps(sandbox: SandboxProcess, verb: str) -> None:
    intent = sandbox.intent()
    sandbox.client.v1.payment_intents.cancel(intent.id)

    with pytest.raises(stripe.InvalidRequestError) as raised:
        getattr(sandbox.client.v1.payment_intents, verb)(intent.id)

    assert error_of(raised.value).code == "payment_intent_unexpected_state"


def test_confirm_without_payment_method_is_refused(sandbox: SandboxProcess) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.confirm(sandbox.intent().id)

    assert error_of(raised.value).code == "payment_intent_unexpected_state"


def test_update_changes_an_unconfirmed_intent(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent(metadata={"a": "1", "b": "2"})

    updated = sandbox.client.v1.payment_intents.update(
        intent.id, {"amount": 5000, "metadata": {"a": "", "c": "3"}, "receipt_email": "ada@example.com"}
    )

    assert (updated.amount, updated.receipt_email) == (5000, "ada@example.com")
    assert updated.metadata.to_dict() == {"b": "2", "c": "3"}


def test_update_refuses_a_new_amount_once_authorised(sandbox: SandboxProcess) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.update(sandbox.confirmed_intent().id, {"amount": 5000})

    assert error_of(raised.value).code == "payment_intent_unexpected_state"


def test_expired_authorisation_cancels_the_intent(sandbox: SandboxProcess) -> None:
    intent = sandbox.confirmed_intent()

    sandbox.control("expire", payment_intent=intent.id)

    found = sandbox.client.v1.payment_intents.retrieve(intent.id)
    assert (found.status, found.cancellation_reason) == ("canceled", "automatic")
    with pytest.raises(stripe.InvalidRequestError):
        sandbox.client.v1.payment_intents.capture(intent.id)


def test_list_pages_through_all_newest_first(sandbox: SandboxProcess) -> None:
    created = [sandbox.intent(amount=1000 + number).id for number in range(5)]
    since = sandbox.client.v1.payment_intents.retrieve(created[0]).created

    listed = [
        intent.id
        for intent in sandbox.client.v1.payment_intents.list(
            {"created": {"gte": since}, "limit": 2}
        ).auto_paging_iter()
    ]

    assert listed[:5] == created[::-1]


def test_list_pages_backwards(sandbox: SandboxProcess) -> None:
    created = [sandbox.intent().id for _ in range(4)]

    page = sandbox.client.v1.payment_intents.list({"ending_before": created[0], "limit": 2})

    assert [intent.id for intent in page.data] == [created[2], created[1]]
    assert page.has_more


def test_list_filters_by_creation_time(sandbox: SandboxProcess) -> None:
    newest = sandbox.intent()

    assert sandbox.client.v1.payment_intents.list({"created": {"gt": newest.created + 60}}).data == []
    assert sandbox.client.v1.payment_intents.list({"created": {"lt": 1000}}).data == []


def test_list_after_an_unknown_intent_is_refused(sandbox: SandboxProcess) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.list({"starting_after": "pi_none"})

    assert (raised.value.http_status, raised.value.code) == (400, "resource_missing")


def test_expand_includes_the_objects(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()

    confirmed = sandbox.client.v1.payment_intents.confirm(
        intent.id, {"confirmation_token": sandbox.token(), "expand": ["latest_charge", "payment_method"]}
    )

    assert isinstance(confirmed.latest_charge, stripe.Charge)
    assert confirmed.latest_charge.payment_intent == intent.id
    assert isinstance(confirmed.payment_method, stripe.PaymentMethod)
    listed = sandbox.client.v1.payment_intents.list({"limit": 1, "expand": ["data.latest_charge"]}).data[0]
    assert isinstance(listed.latest_charge, stripe.Charge)


def test_expand_refuses_other_properties(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()

    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.retrieve(intent.id, {"expand": ["status"]})

    assert raised.value.param == "expand"
