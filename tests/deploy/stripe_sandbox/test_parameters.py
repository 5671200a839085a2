from typing import Any

import pytest
import stripe

from deploy.local.stripe_sandbox import parameters
from deploy.local.stripe_sandbox.errors import ApiError
from tests.deploy.stripe_sandbox.process import PUBLISHABLE_KEY, SandboxProcess

VALID_PARAMS = {"amount": 9600, "currency": "eur"}


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"colour": "red"}, "parameter_unknown", "colour"),
        ({"amount": None}, "parameter_missing", "amount"),
        ({"currency": None}, "parameter_missing", "currency"),
        ({"amount": ""}, "parameter_invalid_empty", "amount"),
        ({"amount": "9.6"}, "parameter_invalid_integer", "amount"),
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 29, "currency": "gbp"}, "amount_too_small", "amount"),
        ({"amount": 49, "currency": "jpy"}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"currency": "xxx"}, None, "currency"),
        ({"capture_method": "later"}, None, "capture_method"),
        ({"shipping": {"name": "Ada"}}, "parameter_missing", "shipping[address]"),
        (
            {"shipping": {"name": "Ada", "address": {"moon": "1"}}},
            "parameter_unknown",
            "shipping[address][moon]",
        ),
        ({"allowed_payment_method_types": ["sepa_debit"]}, None, "allowed_payment_method_types"),
        ({"customer": "cus_1"}, None, "customer"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"confirmation_token": "ctoken_1"}, None, "confirmation_token"),
    ],
)
def test_invalid_parameter_is_named(
    sandbox: SandboxProcess, change: dict[str, Any], code: str | None, param: str
) -> None:
    params = {name: value for name, value in (VALID_PARAMS | change).items() if value is not None}

    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.create(params)  # type: ignore[arg-type]

    assert (raised.value.http_status, raised.value.code, raised.value.param) == (400, code, param)


def test_minimum_amount_is_formatted_in_the_currency(sandbox: SandboxProcess) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.payment_intents.create({"amount": 49, "currency": "eur"})

    assert raised.value.user_message == "Amount must be at least €0.50 eur"


@pytest.mark.parametrize(
    ("path", "param"),
    [
        ("payment_intents/pi_none", "intent"),
        ("charges/ch_none", "id"),
        ("events/evt_none", "id"),
        ("confirmation_tokens/ctoken_none", "confirmation_token"),
        ("payment_methods/pm_none", "payment_method"),
    ],
)
def test_missing_object_returns_404(sandbox: SandboxProcess, path: str, param: str) -> None:
    answer = sandbox.http.get(
        f"{sandbox.base}/v1/{path}", auth=(sandbox.environ["SANDBOX_SECRET_KEY"], ""), timeout=5
    )

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")
    assert answer.json()["error"]["param"] == param


def test_unknown_url_returns_404(sandbox: SandboxProcess) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        sandbox.client.v1.customers.list()

    assert raised.value.http_status == 404


@pytest.mark.parametrize("key", ["sk_test_foreign", "sk_live_sandboxsandbox0001"])
def test_foreign_key_returns_401(sandbox: SandboxProcess, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as raised:
        sandbox.client_with(key).v1.payment_intents.list()

    assert raised.value.http_status == 401


def test_missing_key_returns_401(sandbox: SandboxProcess) -> None:
    answer = sandbox.http.get(f"{sandbox.base}/v1/payment_intents", timeout=5)

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="Stripe"')


def test_publishable_key_may_not_create_intents(sandbox: SandboxProcess) -> None:
    with pytest.raises(stripe.PermissionError) as raised:
        sandbox.client_with(PUBLISHABLE_KEY).v1.payment_intents.create({"amount": 9600, "currency": "eur"})

    assert raised.value.error is not None
    assert raised.value.error.code == "secret_key_required"


def test_response_has_version_and_request_id(sandbox: SandboxProcess) -> None:
    response = sandbox.intent().last_response
    assert response is not None
    assert response.headers is not None
    assert response.headers["Stripe-Version"] == stripe.api_version
    assert response.headers["Request-Id"].startswith("req_")


def test_decode_nests_brackets() -> None:
    assert parameters.decode("a=1&b[c]=2&b[d][e]=&f[]=x&f[]=y&g[0]=z") == {
        "a": "1",
        "b": {"c": "2", "d": {"e": ""}},
        "f": {"0": "x", "1": "y"},
        "g": {"0": "z"},
    }


@pytest.mark.parametrize("encoded", ["a=1&a[b]=2", "[]=1", "a[=1", "a]b[=1"])
def test_decode_refuses_malformed_names(encoded: str) -> None:
    with pytest.raises(ApiError):
        parameters.decode(encoded)
