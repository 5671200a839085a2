from typing import Any

import pytest
import requests
import stripe

from tests.deploy.stripe_sandbox.process import CARD, PUBLISHABLE_KEY, SHOP_ORIGIN, SandboxProcess


def make(sandbox: SandboxProcess, change: dict[str, Any] | None = None, **headers: str) -> requests.Response:
    form = {"key": PUBLISHABLE_KEY, **CARD} | (change or {})
    form = {name: value for name, value in form.items() if value is not None}
    return sandbox.web.post(f"{sandbox.base}/v1/confirmation_tokens", data=form, headers=headers, timeout=5)


def test_token_is_made_with_the_publishable_key_and_used_once(sandbox: SandboxProcess) -> None:
    billing = {"payment_method_data[billing_details][email]": "ada@example.com"}
    token = make(sandbox, billing).json()
    first, second = sandbox.intent(), sandbox.intent()

    confirmed = sandbox.client.v1.payment_intents.confirm(first.id, {"confirmation_token": token["id"]})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        sandbox.client.v1.payment_intents.confirm(second.id, {"confirmation_token": token["id"]})

    assert confirmed.status == "requires_capture"
    assert refusal.value.param == "confirmation_token"
    assert first.id in str(refusal.value.user_message)
    found = sandbox.client.v1.confirmation_tokens.retrieve(token["id"])
    assert found.payment_intent == first.id
    charge = sandbox.client.v1.charges.retrieve(str(confirmed.latest_charge))
    assert charge.billing_details.email == "ada@example.com"


def test_declined_token_is_spent_too(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()
    token = sandbox.token("pm_card_visa_chargeDeclined")
    with pytest.raises(stripe.CardError):
        sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": token})

    with pytest.raises(stripe.InvalidRequestError):
        sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": token})


def test_token_lends_its_shipping_to_the_intent(sandbox: SandboxProcess) -> None:
    shipping = {"shipping[name]": "Ada", "shipping[address][line1]": "1 Road", "shipping[address][country]": "DE"}
    token = make(sandbox, shipping).json()

    confirmed = sandbox.client.v1.payment_intents.confirm(sandbox.intent().id, {"confirmation_token": token["id"]})

    assert confirmed.shipping is not None
    assert confirmed.shipping.name == "Ada"


def test_token_of_live_mode_is_not_found(sandbox: SandboxProcess) -> None:
    token = make(sandbox, {"key": PUBLISHABLE_KEY.replace("_test_", "_live_")}).json()
    assert token["livemode"] is True

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        sandbox.client.v1.payment_intents.confirm(sandbox.intent().id, {"confirmation_token": token["id"]})

    assert refusal.value.code == "resource_missing"
    assert "live mode" in str(refusal.value.user_message)


def test_unknown_token_is_refused_and_the_intent_stays(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()

    with pytest.raises(stripe.InvalidRequestError) as refusal:
        sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": "ctoken_none"})

    assert (refusal.value.http_status, refusal.value.code) == (400, "resource_missing")
    assert sandbox.client.v1.payment_intents.retrieve(intent.id).status == "requires_payment_method"


def test_token_with_wrong_digits_is_a_card_error(sandbox: SandboxProcess) -> None:
    answer = make(sandbox, {"payment_method_data[card][number]": "4242424242424241"})

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
def test_token_with_wrong_parameters_is_refused(sandbox: SandboxProcess, change: dict[str, Any], code: str) -> None:
    answer = make(sandbox, change)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_secret_key_makes_tokens_by_the_test_helper_only(sandbox: SandboxProcess) -> None:
    assert make(sandbox, {"key": sandbox.environ["SANDBOX_SECRET_KEY"]}).status_code == 404
    assert make(sandbox, {"key": "pk_test_foreign"}).status_code == 401


def test_shop_pages_may_call_and_others_may_not(sandbox: SandboxProcess) -> None:
    allowed = make(sandbox, Origin=SHOP_ORIGIN)
    foreign = make(sandbox, Origin="https://evil.example")
    preflight = sandbox.web.options(
        f"{sandbox.base}/v1/confirmation_tokens", headers={"Origin": SHOP_ORIGIN}, timeout=5
    )

    assert allowed.headers["Access-Control-Allow-Origin"] == SHOP_ORIGIN
    assert "Access-Control-Allow-Origin" not in foreign.headers
    assert (preflight.status_code, preflight.headers["Access-Control-Allow-Origin"]) == (204, SHOP_ORIGIN)


def test_client_secret_shows_the_intent_to_the_publishable_key(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent(metadata={"order": "7"})
    public = sandbox.client_with(PUBLISHABLE_KEY).v1.payment_intents

    shown = public.retrieve(intent.id, {"client_secret": str(intent.client_secret)}).to_dict()

    assert (shown["id"], shown["status"]) == (intent.id, "requires_payment_method")
    assert "metadata" not in shown
    with pytest.raises(stripe.InvalidRequestError):
        public.retrieve(intent.id, {"client_secret": f"{intent.id}_secret_wrong"})


def test_card_number_is_kept_nowhere(sandbox: SandboxProcess) -> None:
    make(sandbox)

    journal = (sandbox.folder / "state" / "journal.jsonl").read_text()

    assert "4242424242424242" not in journal
    assert "4242 4242" not in journal
