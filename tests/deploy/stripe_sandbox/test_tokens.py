from typing import Any

import pytest
import requests
import stripe

from deploy.local.stripe_sandbox import wal
from tests.deploy.stripe_sandbox.process import CARD_FORM, PUBLISHABLE_KEY, SHOP_ORIGIN, SandboxProcess


def create_token(
    sandbox: SandboxProcess, change: dict[str, Any] | None = None, **headers: str
) -> requests.Response:
    form = {"key": PUBLISHABLE_KEY, **CARD_FORM} | (change or {})
    form = {name: value for name, value in form.items() if value is not None}
    return sandbox.http.post(f"{sandbox.base}/v1/confirmation_tokens", data=form, headers=headers, timeout=5)


def test_token_is_created_with_the_publishable_key_and_used_once(sandbox: SandboxProcess) -> None:
    billing = {"payment_method_data[billing_details][email]": "ada@example.com"}
    token = create_token(sandbox, billing).json()
    first, second = sandbox.intent(), sandbox.intent()

    confirmed = sandbox.client.v1.payment_intents.confirm(first.id, {"confirmation_token": token["id"]})
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.confirm(second.id, {"confirmation_token": token["id"]})

    assert confirmed.status == "requires_capture"
    assert raised.value.param == "confirmation_token"
    assert first.id in str(raised.value.user_message)
    found = sandbox.client.v1.confirmation_tokens.retrieve(token["id"])
    assert found.payment_intent == first.id
    charge = sandbox.client.v1.charges.retrieve(str(confirmed.latest_charge))
    assert charge.billing_details.email == "ada@example.com"


def test_declined_token_is_used_up_too(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()
    token = sandbox.token("pm_card_visa_chargeDeclined")
    with pytest.raises(stripe.CardError):
        sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": token})

    with pytest.raises(stripe.InvalidRequestError):
        sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": token})


def test_confirm_copies_the_tokens_shipping(sandbox: SandboxProcess) -> None:
    shipping = {
        "shipping[name]": "Ada",
        "shipping[address][line1]": "1 Road",
        "shipping[address][country]": "DE",
    }
    token = create_token(sandbox, shipping).json()

    confirmed = sandbox.client.v1.payment_intents.confirm(
        sandbox.intent().id, {"confirmation_token": token["id"]}
    )

    assert confirmed.shipping is not None
    assert confirmed.shipping.name == "Ada"


def test_live_mode_token_is_not_found(sandbox: SandboxProcess) -> None:
    token = create_token(sandbox, {"key": PUBLISHABLE_KEY.replace("_test_", "_live_")}).json()
    assert token["livemode"] is True

    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.confirm(sandbox.intent().id, {"confirmation_token": token["id"]})

    assert raised.value.code == "resource_missing"
    assert "live mode" in str(raised.value.user_message)


def test_unknown_token_leaves_the_intent_unchanged(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()

    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": "ctoken_none"})

    assert (raised.value.http_status, raised.value.code) == (400, "resource_missing")
    assert sandbox.client.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


def test_create_token_with_invalid_digits_is_a_card_error(sandbox: SandboxProcess) -> None:
    answer = create_token(sandbox, {"payment_method_data[card][number]": "4242424242424241"})

    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"], error["param"]) == (
        402,
        "card_error",
        "incorrect_number",
        "number",
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"payment_method_data[card][number]": None}, "parameter_missing"),
        ({"payment_method_data[type]": None}, "parameter_missing"),
        ({"payment_method_data[card][pin]": "1"}, "parameter_unknown"),
        ({"colour": "red"}, "parameter_unknown"),
    ],
)
def test_create_token_refuses_invalid_parameters(
    sandbox: SandboxProcess, change: dict[str, Any], code: str
) -> None:
    answer = create_token(sandbox, change)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_secret_key_creates_tokens_by_the_test_helper_only(sandbox: SandboxProcess) -> None:
    assert create_token(sandbox, {"key": sandbox.environ["SANDBOX_SECRET_KEY"]}).status_code == 404
    assert create_token(sandbox, {"key": "pk_test_foreign"}).status_code == 401


def test_only_shop_origins_may_read_responses(sandbox: SandboxProcess) -> None:
    allowed = create_token(sandbox, Origin=SHOP_ORIGIN)
    foreign = create_token(sandbox, Origin="https://evil.example")
    preflight = sandbox.http.options(
        f"{sandbox.base}/v1/confirmation_tokens", headers={"Origin": SHOP_ORIGIN}, timeout=5
    )

    assert allowed.headers["Access-Control-Allow-Origin"] == SHOP_ORIGIN
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, SHOP_ORIGIN)


def test_publishable_key_retrieves_an_intent_by_its_client_secret(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent(metadata={"order": "7"})
    public = sandbox.client_with(PUBLISHABLE_KEY).v1.payment_intents

    shown = public.retrieve(intent.id, {"client_secret": str(intent.client_secret)}).to_dict()

    assert (shown["id"], shown["status"]) == (intent.id, "requires_payment_method")
    assert "metadata" not in shown
    with pytest.raises(stripe.InvalidRequestError):
        public.retrieve(intent.id, {"client_secret": f"{intent.id}_secret_wrong"})


def test_card_number_is_not_logged(sandbox: SandboxProcess) -> None:
    create_token(sandbox)

    log = (sandbox.folder / "state" / wal.FILE_NAME).read_text()

    assert "4242424242424242" not in log
    assert "4242 4242" not in log
