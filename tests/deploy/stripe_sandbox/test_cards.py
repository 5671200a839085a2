from typing import Any

import pytest
import stripe

from deploy.local.stripe_sandbox import cards
from deploy.local.stripe_sandbox.errors import ApiError
from tests.deploy.stripe_sandbox.process import SandboxProcess

DECLINES = {
    "4000000000000002": ("card_declined", "generic_decline"),
    "4000000000009995": ("card_declined", "insufficient_funds"),
    "4000000000009987": ("card_declined", "lost_card"),
    "4000000000009979": ("card_declined", "stolen_card"),
    "4000000000006975": ("card_declined", "card_velocity_exceeded"),
    "4000000000000341": ("card_declined", "generic_decline"),
    "4000000000000069": ("expired_card", "expired_card"),
    "4000000000000127": ("incorrect_cvc", "incorrect_cvc"),
    "4000000000000119": ("processing_error", "processing_error"),
}


def token_for(sandbox: SandboxProcess, number: str) -> str:
    card = {"number": number, "exp_month": 12, "exp_year": 2040}
    # stripe-python has no type for card numbers, which only browsers send.
    params: Any = {"payment_method_data": {"type": "card", "card": card}}
    return sandbox.client.v1.test_helpers.confirmation_tokens.create(params).id


@pytest.mark.parametrize(
    "card", [c for c in cards.CARDS if not c.decline and not c.requires_authentication], ids=lambda c: c.name
)
def test_confirm_with_a_good_card_authorises(sandbox: SandboxProcess, card: cards.Card) -> None:
    intent = sandbox.intent()
    token = token_for(sandbox, card.number)

    confirmed = sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": token})

    assert (confirmed.status, confirmed.amount_capturable) == ("requires_capture", 9600)
    charge = sandbox.client.v1.charges.retrieve(str(confirmed.latest_charge))
    assert charge.payment_method_details is not None
    assert charge.payment_method_details.card is not None
    assert charge.payment_method_details.card.last4 == card.number[-4:]
    assert charge.payment_method_details.card.brand == card.brand


@pytest.mark.parametrize("number", DECLINES)
def test_confirm_with_a_declining_card_returns_its_decline_code(sandbox: SandboxProcess, number: str) -> None:
    intent = sandbox.intent()
    token = token_for(sandbox, number)

    with pytest.raises(stripe.CardError) as raised:
        sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": token})

    error = raised.value.error
    assert error is not None
    assert (raised.value.http_status, error.type) == (402, "card_error")
    assert (error.code, error.decline_code) == DECLINES[number]
    assert error.payment_intent is not None
    assert error.payment_intent.status == "requires_payment_method"


def test_every_declining_card_is_covered() -> None:
    assert set(DECLINES) == {
        card.number for card in cards.CARDS if card.decline and not card.requires_authentication
    }


@pytest.mark.parametrize("number", [c.number for c in cards.CARDS if c.requires_authentication])
def test_confirm_with_a_3d_secure_card_requires_action(sandbox: SandboxProcess, number: str) -> None:
    intent = sandbox.intent()
    token = token_for(sandbox, number)

    confirmed = sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": token})

    assert confirmed.status == "requires_action"
    assert confirmed.next_action is not None
    assert confirmed.next_action.type == "use_stripe_sdk"
    assert sandbox.client.v1.payment_intents.cancel(intent.id).status == "canceled"


DECLINED_BY_THE_BANK = "authenticationRequiredChargeDeclinedInsufficientFunds"


@pytest.mark.parametrize(
    ("card", "result", "expected"),
    [
        ("threeDSecure2Required", "confirmed", ("requires_capture", None)),
        (
            "threeDSecure2Required",
            "refused",
            ("requires_payment_method", "payment_intent_authentication_failure"),
        ),
        (DECLINED_BY_THE_BANK, "confirmed", ("requires_payment_method", "card_declined")),
    ],
)
@pytest.mark.parametrize("redirects", [False, True])
def test_what_the_shopper_does_on_the_banks_page_decides(
    sandbox: SandboxProcess, card: str, result: str, expected: tuple[str, str | None], redirects: bool
) -> None:
    intent = sandbox.intent()
    params: Any = {"confirmation_token": sandbox.token(f"pm_card_{card}"), "return_url": "http://x.test/?a=1"}
    sandbox.client.v1.payment_intents.confirm(intent.id, params | {"use_stripe_sdk": not redirects})

    answer = sandbox.answer_bank(intent.id, result)

    after = sandbox.client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]}).to_dict()
    assert (after["status"], (after["last_payment_error"] or {}).get("code")) == expected
    assert after["next_action"] is None
    if redirects:
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"http://x.test/?a=1&payment_intent={intent.id}&")
    if result == "confirmed" and card != DECLINED_BY_THE_BANK:
        details = after["latest_charge"]["payment_method_details"]["card"]
        assert details["three_d_secure"]["result"] == "authenticated"


def test_the_banks_page_answers_only_while_its_payment_waits(sandbox: SandboxProcess) -> None:
    intent = sandbox.confirmed_intent("pm_card_threeDSecure2Required")
    action: Any = sandbox.client.v1.payment_intents.retrieve(intent.id).to_dict()["next_action"]
    page = f"{sandbox.base}/bank/{intent.id}/{action['use_stripe_sdk']['source']}"

    assert "Pay €96.00" in sandbox.http.get(page, timeout=5).text
    assert sandbox.http.get(f"{page}x", timeout=5).status_code == 410
    assert sandbox.http.get(page.replace(intent.id, "pi_unknown"), timeout=5).status_code == 410
    sandbox.client.v1.payment_intents.cancel(intent.id)
    assert sandbox.http.post(page, data={"result": "confirmed"}, timeout=5).status_code == 410


def test_confirm_with_a_live_card_is_declined(sandbox: SandboxProcess) -> None:
    intent = sandbox.intent()
    token = token_for(sandbox, "4929000000006")

    with pytest.raises(stripe.CardError) as raised:
        sandbox.client.v1.payment_intents.confirm(intent.id, {"confirmation_token": token})

    assert raised.value.error is not None
    assert raised.value.error.decline_code == "test_mode_live_card"


@pytest.mark.parametrize(
    ("number", "month", "year", "cvc", "code"),
    [
        ("424242", 12, 2040, "123", "invalid_number"),
        ("4242424242424241", 12, 2040, "123", "incorrect_number"),
        ("4242424242424242", 13, 2040, "123", "invalid_expiry_month"),
        ("4242424242424242", 1, 2020, "123", "invalid_expiry_year"),
        ("4242424242424242", 1, 2199, "123", "invalid_expiry_year"),
        ("4242424242424242", 12, 40, "12", "invalid_cvc"),
        ("378282246310005", 12, 40, "123", "invalid_cvc"),
    ],
)
def test_validate_refuses_impossible_card_details(
    number: str, month: int, year: int, cvc: str, code: str
) -> None:
    with pytest.raises(ApiError) as raised:
        cards.validate(number=number, exp_month=month, exp_year=year, cvc=cvc)

    assert (raised.value.status, raised.value.error["code"]) == (402, code)


@pytest.mark.parametrize("name", ["visa_chargeDeclined", "chargeDeclined", "visa_chargeDeclinedExpiredCard"])
def test_test_payment_method_is_known_with_and_without_brand(name: str) -> None:
    assert cards.BY_NAME[name].decline is not None


def test_fingerprint_is_stable_and_does_not_reveal_the_number() -> None:
    first = cards.fingerprint("4242424242424242", key="sk_test_a")

    assert first == cards.fingerprint("4242424242424242", key="sk_test_a")
    assert first != cards.fingerprint("4242424242424242", key="sk_test_b")
    assert "4242" not in first
