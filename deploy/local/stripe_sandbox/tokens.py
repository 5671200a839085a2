"""Confirmation tokens, which the card frame, the load test and the test helper create.

created ─▶ used once, for a new payment method
   └─▶ expired after 12 hours
"""

from typing import Any

from . import errors, objects, parameters, payment_methods
from .objects import StripeObject
from .store import Transaction

TOKEN_LIFETIME_SECONDS = 12 * 3600
CREATE_SCHEMA: dict[str, parameters.Parser] = {
    "payment_method_data": parameters.PAYMENT_METHOD_DATA,
    "return_url": parameters.string,
    "setup_future_usage": parameters.enum("off_session", "on_session"),
    "shipping": parameters.SHIPPING,
    "use_stripe_sdk": parameters.boolean,
}
TEST_HELPER_SCHEMA = CREATE_SCHEMA | {"expand": parameters.array, "payment_method": parameters.string}


def create(transaction: Transaction, params: dict[str, Any], *, account: str, livemode: bool) -> StripeObject:
    """Create a token for card details or for a payment method."""
    data = params.get("payment_method_data") or {}
    if "payment_method" in params:
        payment_method, test_card = payment_methods.find(
            transaction.store, params["payment_method"], account=account, param="payment_method"
        )
    elif "card" in data:
        payment_method, test_card = payment_methods.from_data(data, account=account)
    else:
        raise errors.invalid_request(
            "Missing required param: payment_method_data[card].",
            code="parameter_missing",
            param="payment_method_data[card]",
        )
    shown = ("allow_redisplay", "card", "customer", "customer_account", "type")
    preview = {name: payment_method[name] for name in shown}
    preview["billing_details"] = payment_methods.merge_billing_details(
        payment_method["billing_details"], data.get("billing_details", {})
    )
    token = objects.new(
        "confirmation_token",
        id=objects.new_id("ctoken_"),
        livemode=livemode,
        payment_method_preview=preview,
        return_url=params.get("return_url"),
        setup_future_usage=params.get("setup_future_usage"),
        shipping=payment_methods.full_shipping(params.get("shipping")),
    )
    token["expires_at"] = token["created"] + TOKEN_LIFETIME_SECONDS
    transaction.save(token, test_card=test_card)
    return token


def use(
    transaction: Transaction, token_id: str, *, intent: StripeObject
) -> tuple[StripeObject, StripeObject, str]:
    """Use the token up for the intent. Return it, its new payment method, and the test card's name.

    Raises ApiError if there is no such token, or if it was used or has expired.
    """
    token = transaction.store.get("confirmation_token", token_id, param="confirmation_token", status=400)
    if token["payment_intent"]:
        raise errors.rejected(
            f"The ConfirmationToken {token_id} was already used to confirm {token['payment_intent']}. "
            "A ConfirmationToken can be used once: create a new one.",
            param="confirmation_token",
        )
    if token["expires_at"] <= objects.unix_time():
        raise errors.rejected(
            f"The ConfirmationToken {token_id} has expired: create a new one.", param="confirmation_token"
        )
    preview = token["payment_method_preview"]
    payment_method = payment_methods.new(preview["card"])
    payment_method |= {name: preview[name] for name in ("allow_redisplay", "billing_details")}
    test_card = transaction.store.test_cards[token_id]
    token["payment_intent"] = intent["id"]
    transaction.save(token)
    transaction.save(payment_method, test_card=test_card)
    return token, payment_method, test_card
