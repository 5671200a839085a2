"""Confirming a PaymentIntent: choosing the payment method and doing what its test card stands for."""

from typing import Any

from . import cards, charges, errors, objects, parameters, payment_methods, tokens
from .cards import Card, Decline
from .objects import StripeObject
from .store import Transaction

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CONFIRM_SCHEMA: dict[str, parameters.Parser] = {
    "capture_method": parameters.enum("automatic", "automatic_async", "manual"),
    "confirmation_token": parameters.string,
    "error_on_requires_action": parameters.boolean,
    "expand": parameters.array,
    "payment_method": parameters.string,
    "receipt_email": parameters.emptyable,
    "return_url": parameters.string,
    "shipping": parameters.SHIPPING,
    "use_stripe_sdk": parameters.boolean,
}
AUTHENTICATION_FAILURE = "payment_intent_authentication_failure"
AUTHENTICATED: StripeObject = {
    "authentication_flow": "challenge",
    "electronic_commerce_indicator": "05",
    "exemption_indicator": None,
    "result": "authenticated",
    "result_reason": None,
    "transaction_id": None,
    "version": "2.2.0",
}
DECLINE_PARAMS = {"expired_card": "exp_month", "incorrect_cvc": "cvc"}


def confirm(
    transaction: Transaction, intent: StripeObject, params: dict[str, Any], *, account: str, origin: str
) -> StripeObject:
    """Attempt the payment.

    A decline raises the card's ApiError, which commits the failed attempt.
    """
    _check_confirmable(intent)
    intent["capture_method"] = params.get("capture_method", intent["capture_method"])
    payment_method, card, return_url = _choose_payment_method(transaction, intent, params, account=account)
    if _may_redirect(intent) and not return_url:
        raise errors.rejected(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because "
            "some of these payment methods might redirect your customer off of your page, you must provide a "
            "`return_url`. If you don't want to accept redirect-based payment methods, set "
            "`automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` "
            "to `never` when creating Setup Intents and Payment Intents.",
            code="parameter_missing",
            param="return_url",
        )
    if "receipt_email" in params:
        intent["receipt_email"] = params["receipt_email"]
    if "shipping" in params:
        intent["shipping"] = payment_methods.full_shipping(params["shipping"])
    if card.requires_authentication and params.get("error_on_requires_action"):
        raise _decline(transaction, intent, payment_method, cards.AUTHENTICATION_REQUIRED)
    if card.requires_authentication:
        page = None
        if return_url and (card.redirects or not params.get("use_stripe_sdk")):
            page = f"{origin}/bank/{intent['id']}"
        return _require_action(transaction, intent, payment_method, page=page, return_url=return_url)
    if card.decline:
        raise _decline(transaction, intent, payment_method, card.decline)
    return _authorise(transaction, intent, payment_method)


def save_with_charge(
    transaction: Transaction,
    intent: StripeObject,
    charge: StripeObject,
    *,
    charge_event: str,
    intent_event: str,
) -> StripeObject:
    """Save both and emit their events, in Stripe's order. Returns the intent."""
    transaction.save(charge)
    transaction.save(intent)
    transaction.emit(charge_event, charge)
    transaction.emit(intent_event, intent)
    return intent


def _check_confirmable(intent: StripeObject) -> None:
    if intent["status"] in CONFIRMABLE:
        return
    reason = (
        f"it has a status of {intent['status']}. Only a PaymentIntent with one of the following statuses may "
        "be confirmed: requires_confirmation, requires_action"
    )
    if intent["status"] == "succeeded":
        reason = "it has already succeeded after being previously confirmed"
    raise errors.unexpected_state(f"You cannot confirm this PaymentIntent because {reason}.", intent=intent)


def _may_redirect(intent: StripeObject) -> bool:
    automatic = intent["automatic_payment_methods"]
    return bool(automatic) and automatic["allow_redirects"] != "never"


def _choose_payment_method(
    transaction: Transaction, intent: StripeObject, params: dict[str, Any], *, account: str
) -> tuple[StripeObject, Card, str | None]:
    """Return the payment method to charge, its test card, and the URL for the way back from the bank."""
    return_url = params.get("return_url")
    if "confirmation_token" in params:
        if "payment_method" in params:
            raise errors.invalid_request(
                "You may only specify one of these parameters: confirmation_token, payment_method.",
                param="confirmation_token",
            )
        token, payment_method, test_card = tokens.use(
            transaction, params["confirmation_token"], intent=intent
        )
        intent["shipping"] = token["shipping"] or intent["shipping"]
        return payment_method, cards.BY_NAME[test_card], return_url or token["return_url"]
    payment_method_id = params.get("payment_method") or intent["payment_method"]
    if payment_method_id is None:
        raise errors.unexpected_state(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either "
            "update the PaymentIntent with a payment method and then confirm it again, or confirm it again "
            "directly with a payment method or ConfirmationToken.",
            intent=intent,
        )
    payment_method, test_card = payment_methods.find(
        transaction.store, payment_method_id, account=account, param="payment_method"
    )
    transaction.save(payment_method, test_card=test_card)
    return payment_method, cards.BY_NAME[test_card], return_url


def _require_action(
    transaction: Transaction,
    intent: StripeObject,
    payment_method: StripeObject,
    *,
    page: str | None,
    return_url: str | None,
) -> StripeObject:
    """Ask for 3-D Secure: in the shop's page, or on the bank's `page`, which leads back to `return_url`."""
    source = objects.new_id("src_")
    next_action: StripeObject = {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"source": source, "type": "three_d_secure_redirect"},
    }
    if page:
        next_action = {
            "redirect_to_url": {"return_url": return_url, "url": f"{page}/{source}"},
            "type": "redirect_to_url",
        }
    intent |= {
        "last_payment_error": None,
        "next_action": next_action,
        "payment_method": payment_method["id"],
        "status": "requires_action",
    }
    transaction.save(intent)
    transaction.emit("payment_intent.requires_action", intent)
    return intent


def authenticate(
    transaction: Transaction, intent: StripeObject, *, account: str, succeeds: bool
) -> StripeObject:
    """End an intent's 3-D Secure, as its shopper did on the bank's page; return the intent."""
    payment_method, test_card = payment_methods.find(
        transaction.store, intent["payment_method"], account=account, param="payment_method"
    )
    if not succeeds:
        return _fail_authentication(transaction, intent, payment_method)
    card = cards.BY_NAME[test_card]
    if card.decline:
        _decline(transaction, intent, payment_method, card.decline)
        return intent
    return _authorise(transaction, intent, payment_method, three_d_secure=AUTHENTICATED)


def _fail_authentication(
    transaction: Transaction, intent: StripeObject, payment_method: StripeObject
) -> StripeObject:
    """Record that the shopper didn't confirm the payment. No charge was tried."""
    intent |= {
        "last_payment_error": {
            "code": AUTHENTICATION_FAILURE,
            "doc_url": errors.doc_url(AUTHENTICATION_FAILURE),
            "message": "The provided PaymentMethod has failed authentication. You can provide payment_method_data "
            "or a new PaymentMethod to attempt to fulfill this PaymentIntent again.",
            "payment_method": payment_method,
            "type": "invalid_request_error",
        },
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    transaction.save(intent)
    transaction.emit("payment_intent.payment_failed", intent)
    return intent


def _decline(
    transaction: Transaction, intent: StripeObject, payment_method: StripeObject, decline: Decline
) -> errors.ApiError:
    """Record the failed attempt and return its error."""
    charge = charges.create(intent=intent, payment_method=payment_method, decline=decline)
    fields = {
        "advice_code": decline.advice_code,
        "charge": charge["id"],
        "code": decline.code,
        "decline_code": decline.decline_code,
        "message": decline.message,
    }
    if decline.code in DECLINE_PARAMS:
        fields["param"] = DECLINE_PARAMS[decline.code]
    intent |= {
        "last_payment_error": {
            **fields,
            "doc_url": errors.doc_url(decline.code),
            "payment_method": payment_method,
            "type": "card_error",
        },
        "latest_charge": charge["id"],
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    save_with_charge(
        transaction,
        intent,
        charge,
        charge_event="charge.failed",
        intent_event="payment_intent.payment_failed",
    )
    return errors.card_error(**fields, commits=True, payment_intent=intent, payment_method=payment_method)


def _authorise(
    transaction: Transaction,
    intent: StripeObject,
    payment_method: StripeObject,
    *,
    three_d_secure: StripeObject | None = None,
) -> StripeObject:
    charge = charges.create(intent=intent, payment_method=payment_method, decline=None)
    charge["payment_method_details"]["card"]["three_d_secure"] = three_d_secure
    intent |= {
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "payment_method": payment_method["id"],
    }
    if intent["capture_method"] == "manual":
        intent |= {"amount_capturable": intent["amount"], "status": "requires_capture"}
        intent_event = "payment_intent.amount_capturable_updated"
    else:
        charge = charges.capture(charge, amount=intent["amount"])
        intent |= {"amount_received": intent["amount"], "status": "succeeded"}
        intent_event = "payment_intent.succeeded"
    return save_with_charge(
        transaction, intent, charge, charge_event="charge.succeeded", intent_event=intent_event
    )
