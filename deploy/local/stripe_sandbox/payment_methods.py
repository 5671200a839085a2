"""Payment methods: made from card details, from a token, or from one of Stripe's `pm_card_…` test ids."""

import time
from typing import Any

from . import cards, errors, objects
from .objects import StripeObject
from .store import Store


def new(card: StripeObject) -> StripeObject:
    return objects.new("payment_method", id=objects.new_id("pm_"), card=card, type="card")


def from_data(data: dict[str, Any], *, account: str) -> tuple[StripeObject, str]:
    """Return an unsaved payment method with the card details of `data`, and its test card's name.

    `account` keys the card's fingerprint.
    """
    details = data["card"]
    test_card = cards.validate(
        number=details["number"],
        exp_month=details["exp_month"],
        exp_year=details["exp_year"],
        cvc=details.get("cvc"),
    )
    digits = "".join(character for character in details["number"] if character.isdigit())
    payment_method = new(
        objects.payment_method_card(
            brand=test_card.brand,
            funding=test_card.funding,
            last4=digits[-4:],
            exp_month=details["exp_month"],
            exp_year=cards.four_digit_year(details["exp_year"]),
            fingerprint=cards.fingerprint(digits, key=account),
            has_cvc="cvc" in details,
        )
    )
    billing_details = data.get("billing_details", {})
    payment_method["billing_details"] = merge_billing_details(
        payment_method["billing_details"], billing_details
    )
    payment_method["metadata"] = data.get("metadata", {})
    return payment_method, test_card.name


def find(store: Store, payment_method_id: str, *, account: str, param: str) -> tuple[StripeObject, str]:
    """Return the payment method and its test card's name. A `pm_card_…` id makes a new, unsaved one.

    Raises ApiError if there is none.
    """
    if not payment_method_id.startswith(cards.TEST_PAYMENT_METHOD_PREFIX):
        payment_method = store.get("payment_method", payment_method_id, param=param, status=400)
        return payment_method, store.test_cards[payment_method_id]
    test_card = cards.BY_NAME.get(payment_method_id.removeprefix(cards.TEST_PAYMENT_METHOD_PREFIX))
    if test_card is None or not test_card.number:
        raise errors.resource_missing("PaymentMethod", payment_method_id, param=param, status=400)
    today = time.gmtime()
    payment_method = new(
        objects.payment_method_card(
            brand=test_card.brand,
            funding=test_card.funding,
            last4=test_card.last4,
            exp_month=today.tm_mon,
            exp_year=today.tm_year + 1,
            fingerprint=cards.fingerprint(test_card.number, key=account),
            has_cvc=False,
        )
    )
    return payment_method, test_card.name


def merge_billing_details(current: StripeObject, changes: StripeObject) -> StripeObject:
    return current | changes | {"address": current["address"] | changes.get("address", {})}


def full_shipping(shipping: dict[str, Any] | None) -> StripeObject | None:
    """Return the shipping details with every field that Stripe shows."""
    if not shipping:
        return None
    return {"phone": None} | shipping | {"address": objects.EMPTY_ADDRESS | shipping["address"]}
