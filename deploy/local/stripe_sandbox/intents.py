"""PaymentIntents: creating, updating, capturing and canceling them. Confirming is in confirmation.py.

requires_payment_method ◀──────────────── declined ───┐
requires_payment_method, requires_confirmation ─▶ confirm ─▶ requires_capture ─▶ capture ─▶ succeeded
                                                      ├─▶ succeeded        (without manual capture)
                                                      └─▶ requires_action  (3-D Secure)
all but succeeded ─▶ cancel ─▶ canceled
"""

from typing import Any

from . import charges, confirmation, currencies, errors, objects, parameters, payment_methods
from .objects import StripeObject
from .store import Transaction

CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
AMOUNT_UPDATABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELLATION_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")

CREATE_SCHEMA: dict[str, parameters.Parser] = confirmation.CONFIRM_SCHEMA | {
    "amount": parameters.integer,
    "automatic_payment_methods": parameters.nested(
        ("enabled",), enabled=parameters.boolean, allow_redirects=parameters.enum("always", "never")
    ),
    "confirm": parameters.boolean,
    "currency": parameters.string,
    "description": parameters.string,
    "metadata": parameters.metadata,
    "allowed_payment_method_types": parameters.array,
    "statement_descriptor": parameters.string,
    "statement_descriptor_suffix": parameters.string,
    "transfer_group": parameters.string,
}
UPDATE_SCHEMA: dict[str, parameters.Parser] = {
    "amount": parameters.integer,
    "description": parameters.emptyable,
    "expand": parameters.array,
    "metadata": parameters.metadata,
    "receipt_email": parameters.emptyable,
    "shipping": parameters.SHIPPING,
}
CANCEL_SCHEMA: dict[str, parameters.Parser] = {
    "cancellation_reason": parameters.enum(*CANCELLATION_REASONS),
    "expand": parameters.array,
}
CAPTURE_SCHEMA: dict[str, parameters.Parser] = {
    "amount_to_capture": parameters.integer,
    "expand": parameters.array,
    "metadata": parameters.metadata,
}
COPIED_PARAMETERS = (
    "description",
    "receipt_email",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)


def create(transaction: Transaction, params: dict[str, Any], *, account: str, origin: str) -> StripeObject:
    """Create an intent, and confirm it at once if `confirm` is true."""
    currency = params["currency"].lower()
    currencies.validate_amount(amount=params["amount"], currency=currency)
    if params.get("allowed_payment_method_types", ["card"]) != ["card"]:
        raise errors.invalid_request(
            "The sandbox supports one payment method type: card.", param="allowed_payment_method_types"
        )
    confirm_now = params.get("confirm", False)
    if not confirm_now:
        for name in ("confirmation_token", "return_url"):
            if name in params:
                raise errors.invalid_request(f"You can only pass {name} when confirm is true.", param=name)
    intent = objects.new("payment_intent", id=objects.new_id("pi_"), payment_method_types=["card"])
    intent |= {
        "amount": params["amount"],
        "automatic_payment_methods": _automatic_payment_methods(params),
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{intent['id']}_secret_{objects.new_id('', 25)}",
        "currency": currency,
        "metadata": {key: value for key, value in params.get("metadata", {}).items() if value},
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "shipping": payment_methods.full_shipping(params.get("shipping")),
    }
    intent |= {name: params[name] for name in COPIED_PARAMETERS if name in params}
    if "payment_method" in params and not confirm_now:
        payment_method, test_card = payment_methods.find(
            transaction.store, params["payment_method"], account=account, param="payment_method"
        )
        transaction.save(payment_method, test_card=test_card)
        intent |= {"payment_method": payment_method["id"], "status": "requires_confirmation"}
    transaction.save(intent)
    transaction.emit("payment_intent.created", intent)
    if confirm_now:
        return confirmation.confirm(transaction, intent, params, account=account, origin=origin)
    return intent


def update(transaction: Transaction, intent: StripeObject, params: dict[str, Any]) -> StripeObject:
    if "amount" in params:
        if intent["status"] not in AMOUNT_UPDATABLE:
            raise errors.unexpected_state(
                "This PaymentIntent's amount could not be updated because it has a status of "
                f"{intent['status']}. You may only update the amount of a PaymentIntent with one of the "
                f"following statuses: {', '.join(AMOUNT_UPDATABLE)}.",
                intent=intent,
            )
        currencies.validate_amount(amount=params["amount"], currency=intent["currency"])
        intent["amount"] = params["amount"]
    for name in ("description", "receipt_email"):
        if name in params:
            intent[name] = params[name]
    if "shipping" in params:
        intent["shipping"] = payment_methods.full_shipping(params["shipping"])
    intent["metadata"] = _merge_metadata(intent["metadata"], params)
    transaction.save(intent)
    return intent


def capture(transaction: Transaction, intent: StripeObject, params: dict[str, Any]) -> StripeObject:
    """Capture the authorised amount, or the part of it in `amount_to_capture`."""
    if intent["status"] != "requires_capture":
        reason = (
            f"it has a status of {intent['status']}. Only a PaymentIntent with one of the following statuses "
            "may be captured: requires_capture"
        )
        if intent["status"] == "succeeded":
            reason = "it has already been captured"
        raise errors.unexpected_state(
            f"This PaymentIntent could not be captured because {reason}.", intent=intent
        )
    charge = transaction.store.get("charge", intent["latest_charge"])
    if charges.authorised_until(charge) <= objects.unix_time():
        expire(transaction, intent)
        raise errors.rejected(
            "This PaymentIntent could not be captured because its authorization has expired.",
            code="charge_expired_for_capture",
            commits=True,
        )
    amount = _amount_to_capture(intent, params)
    charge = charges.capture(charge, amount=amount)
    intent |= {"amount_capturable": 0, "amount_received": amount, "status": "succeeded"}
    intent["metadata"] = _merge_metadata(intent["metadata"], params)
    return confirmation.save_with_charge(
        transaction, intent, charge, charge_event="charge.captured", intent_event="payment_intent.succeeded"
    )


def cancel(transaction: Transaction, intent: StripeObject, params: dict[str, Any]) -> StripeObject:
    """Cancel the intent, and release its authorisation."""
    if intent["status"] not in CANCELABLE:
        raise errors.unexpected_state(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a "
            f"PaymentIntent with one of the following statuses may be canceled: {', '.join(CANCELABLE)}.",
            intent=intent,
        )
    return _cancel(
        transaction, intent, reason=params.get("cancellation_reason"), charge_event="charge.refunded"
    )


def expire(transaction: Transaction, intent: StripeObject) -> StripeObject:
    """Cancel the intent as the card network does when an authorisation isn't captured in time."""
    return _cancel(transaction, intent, reason="automatic", charge_event="charge.expired")


def _cancel(
    transaction: Transaction, intent: StripeObject, *, reason: str | None, charge_event: str
) -> StripeObject:
    was_authorised = intent["status"] == "requires_capture"
    intent |= {
        "amount_capturable": 0,
        "canceled_at": objects.unix_time(),
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    if was_authorised:
        charge = charges.release(transaction.store.get("charge", intent["latest_charge"]))
        return confirmation.save_with_charge(
            transaction, intent, charge, charge_event=charge_event, intent_event="payment_intent.canceled"
        )
    transaction.save(intent)
    transaction.emit("payment_intent.canceled", intent)
    return intent


def _automatic_payment_methods(params: dict[str, Any]) -> StripeObject | None:
    if "allowed_payment_method_types" in params:
        return None
    requested: StripeObject = params.get("automatic_payment_methods", {"enabled": True})
    if not requested["enabled"]:
        return None
    return {"allow_redirects": "always"} | requested


def _amount_to_capture(intent: StripeObject, params: dict[str, Any]) -> int:
    if "amount_to_capture" not in params:
        return int(intent["amount_capturable"])
    amount = int(params["amount_to_capture"])
    if amount < 1:
        raise errors.invalid_request(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount_to_capture",
        )
    if amount > intent["amount_capturable"]:
        raise errors.rejected(
            f"The amount_to_capture {amount} is greater than the amount that can be captured, "
            f"{intent['amount_capturable']}.",
            code="amount_too_large",
            param="amount_to_capture",
        )
    return amount


def _merge_metadata(metadata: StripeObject, params: dict[str, Any]) -> StripeObject:
    if "metadata" not in params:
        return metadata
    if not params["metadata"]:
        return {}
    return {key: value for key, value in (metadata | params["metadata"]).items() if value}
