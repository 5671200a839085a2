"""Confirmation tokens and the payment methods that come of them.

made (by the card frame, by a crowd, by the test helper) ─▶ used, once ─ ▶ a payment method
    └─▶ expired, 12 hours later
"""

import time
from typing import Any

from . import cards, errors, parameters, shapes
from .shapes import Thing
from .store import Change

LIFE_SECONDS = 12 * 3600
PUBLIC_SCHEMA: dict[str, parameters.Check] = {
    "payment_method_data": parameters.METHOD_DATA,
    "return_url": parameters.text,
    "setup_future_usage": parameters.choice("off_session", "on_session"),
    "shipping": parameters.SHIPPING,
    "use_stripe_sdk": parameters.boolean,
}
HELPER_SCHEMA = PUBLIC_SCHEMA | {"expand": parameters.listing, "payment_method": parameters.text}


def create(change: Change, params: dict[str, Any], *, account: str, livemode: bool) -> Thing:
    """A token for what was typed, or for a `pm_card_…` shortcut. `account` keys the fingerprints."""
    data = params.get("payment_method_data") or {}
    if "payment_method" in params:
        method, card = shortcut(change, params["payment_method"], account=account, param="payment_method")
    elif "card" in data:
        method, card = typed(data, account=account)
    else:
        raise errors.invalid(
            "Missing required param: payment_method_data[card].",
            code="parameter_missing",
            param="payment_method_data[card]",
        )
    preview = {name: method[name] for name in ("allow_redisplay", "card", "customer", "customer_account", "type")}
    token = shapes.fresh(
        "confirmation_token",
        id=shapes.identity("ctoken_"),
        livemode=livemode,
        payment_method_preview=preview
        | {"billing_details": _billing(method["billing_details"], data.get("billing_details", {}))},
        return_url=params.get("return_url"),
        setup_future_usage=params.get("setup_future_usage"),
        shipping=shipping(params.get("shipping")),
    )
    token["expires_at"] = token["created"] + LIFE_SECONDS
    change.keep(token, card=card)
    return token


def typed(data: dict[str, Any], *, account: str) -> tuple[Thing, str]:
    """A payment method, not yet kept, from typed card data, and the name of its test card."""
    given = data["card"]
    card = cards.check(
        number=given["number"], exp_month=given["exp_month"], exp_year=given["exp_year"], cvc=given.get("cvc")
    )
    digits = "".join(digit for digit in given["number"] if digit.isdigit())
    year = given["exp_year"]
    details = shapes.card(
        brand=card.brand,
        funding=card.funding,
        last4=digits[-4:],
        exp_month=given["exp_month"],
        exp_year=year + 2000 if year < 100 else year,
        fingerprint=cards.fingerprint(digits, key=account),
        cvc="cvc" in given,
    )
    method = _method(details)
    method["billing_details"] = _billing(method["billing_details"], data.get("billing_details", {}))
    return method | {"metadata": data.get("metadata", {})}, card.name


def shortcut(change: Change, name: str, *, account: str, param: str) -> tuple[Thing, str]:
    """The payment method of a `pm_card_…` shortcut, or one that was kept. Raises ApiError when there is none."""
    if not name.startswith(cards.SHORTCUT):
        return change.store.get("payment_method", name, param=param, status=400), change.store.cards[name]
    card = cards.BY_NAME.get(name.removeprefix(cards.SHORTCUT))
    if card is None or not card.number:
        raise errors.missing("PaymentMethod", name, param=param, status=400)
    today = time.gmtime()
    details = shapes.card(
        brand=card.brand,
        funding=card.funding,
        last4=card.last4,
        exp_month=today.tm_mon,
        exp_year=today.tm_year + 1,
        fingerprint=cards.fingerprint(card.number, key=account),
        cvc=False,
    )
    return _method(details), card.name


def use(change: Change, identity: str, *, intent: Thing) -> tuple[Thing, Thing, str]:
    """Spend the token on the intent: it, its new payment method, and the name of the test card. Raises ApiError."""
    token = change.store.get("confirmation_token", identity, param="confirmation_token", status=400)
    if token["payment_intent"]:
        raise errors.refused(
            f"The ConfirmationToken {identity} was already used to confirm {token['payment_intent']}. "
            "A ConfirmationToken can be used once: create a new one.",
            param="confirmation_token",
        )
    if token["expires_at"] <= shapes.now():
        raise errors.refused(
            f"The ConfirmationToken {identity} has expired: create a new one.",
            param="confirmation_token",
        )
    preview, card = token["payment_method_preview"], change.store.cards[identity]
    method = _method(preview["card"]) | {name: preview[name] for name in ("allow_redisplay", "billing_details")}
    token["payment_intent"] = intent["id"]
    change.keep(token)
    change.keep(method, card=card)
    return token, method, card


def shipping(given: dict[str, Any] | None) -> Thing | None:
    """Shipping as Stripe shows it, its address whole."""
    if not given:
        return None
    return {"phone": None} | given | {"address": shapes.NO_ADDRESS | given["address"]}


def _method(card: Thing) -> Thing:
    return shapes.fresh("payment_method", id=shapes.identity("pm_"), card=card, type="card")


def _billing(old: Thing, given: dict[str, Any]) -> Thing:
    return old | given | {"address": old["address"] | given.get("address", {})}
