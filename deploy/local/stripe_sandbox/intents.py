"""PaymentIntents, their states and what moves them.

requires_payment_method ◀──────────────── declined ───┐
requires_payment_method, requires_confirmation ─▶ confirm ─▶ requires_capture ─▶ capture ─▶ succeeded
                                                      ├─▶ succeeded        (not captured by hand)
                                                      └─▶ requires_action  (3-D Secure)
all but succeeded ─▶ cancel ─▶ canceled
"""

from typing import Any

from . import cards, charges, currencies, errors, parameters, shapes, tokens
from .cards import Decline
from .shapes import Thing
from .store import Change

CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action", "processing")
CHANGEABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")
CAPTURE_METHOD = parameters.choice("automatic", "automatic_async", "manual")

CONFIRM: dict[str, parameters.Check] = {
    "capture_method": CAPTURE_METHOD,
    "confirmation_token": parameters.text,
    "error_on_requires_action": parameters.boolean,
    "expand": parameters.listing,
    "payment_method": parameters.text,
    "receipt_email": parameters.clearable,
    "return_url": parameters.text,
    "shipping": parameters.SHIPPING,
    "use_stripe_sdk": parameters.boolean,
}
CREATE: dict[str, parameters.Check] = CONFIRM | {
    "amount": parameters.integer,
    "automatic_payment_methods": parameters.nested(
        ("enabled",), enabled=parameters.boolean, allow_redirects=parameters.choice("always", "never")
    ),
    "confirm": parameters.boolean,
    "currency": parameters.text,
    "description": parameters.text,
    "metadata": parameters.metadata,
    "allowed_payment_method_types": parameters.listing,
    "statement_descriptor": parameters.text,
    "statement_descriptor_suffix": parameters.text,
    "transfer_group": parameters.text,
}
UPDATE: dict[str, parameters.Check] = {
    "amount": parameters.integer,
    "description": parameters.clearable,
    "expand": parameters.listing,
    "metadata": parameters.metadata,
    "receipt_email": parameters.clearable,
    "shipping": parameters.SHIPPING,
}
CANCEL: dict[str, parameters.Check] = {
    "cancellation_reason": parameters.choice(*REASONS),
    "expand": parameters.listing,
}
CAPTURE: dict[str, parameters.Check] = {
    "amount_to_capture": parameters.integer,
    "expand": parameters.listing,
    "metadata": parameters.metadata,
}


def create(change: Change, params: dict[str, Any], *, account: str) -> Thing:
    """A new intent, confirmed at once where `confirm` says so."""
    currency = params["currency"].lower()
    currencies.check(amount=params["amount"], currency=currency)
    if params.get("allowed_payment_method_types", ["card"]) != ["card"]:
        raise errors.invalid("The sandbox knows one payment method type: card.", param="allowed_payment_method_types")
    if not params.get("confirm") and (early := {"confirmation_token", "return_url"} & set(params)):
        name = min(early)
        raise errors.invalid(f"You can only pass {name} when confirm is true.", param=name)
    intent = shapes.fresh("payment_intent", id=shapes.identity("pi_"), payment_method_types=["card"])
    intent |= {
        "amount": params["amount"],
        "automatic_payment_methods": _automatic(params),
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{intent['id']}_secret_{shapes.identity('', 25)}",
        "currency": currency,
        "metadata": {key: value for key, value in params.get("metadata", {}).items() if value},
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "shipping": tokens.shipping(params.get("shipping")),
    }
    plain = ("description", "receipt_email", "statement_descriptor", "statement_descriptor_suffix", "transfer_group")
    intent |= {name: params[name] for name in plain if name in params}
    if "payment_method" in params and not params.get("confirm"):
        method, card = tokens.shortcut(change, params["payment_method"], account=account, param="payment_method")
        change.keep(method, card=card)
        intent |= {"payment_method": method["id"], "status": "requires_confirmation"}
    change.keep(intent)
    change.tell("payment_intent.created", intent)
    return confirm(change, intent, params, account=account) if params.get("confirm") else intent


def confirm(change: Change, intent: Thing, params: dict[str, Any], *, account: str) -> Thing:
    """Try to pay. Raises the card's error, with everything already in the change, when the bank says no."""
    _check_confirmable(intent)
    intent |= {"capture_method": params.get("capture_method", intent["capture_method"])}
    method, card, return_url = _method(change, intent, params, account=account)
    if _may_redirect(intent) and not return_url:
        raise errors.refused(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some of "
            "these payment methods might redirect your customer off of your page, you must provide a `return_url`. "
            "If you don't want to accept redirect-based payment methods, set "
            "`automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to "
            "`never` when creating Setup Intents and Payment Intents.",
            code="parameter_missing",
            param="return_url",
        )
    if "receipt_email" in params:
        intent["receipt_email"] = params["receipt_email"]
    if "shipping" in params:
        intent["shipping"] = tokens.shipping(params["shipping"])
    if card.authenticate and params.get("error_on_requires_action"):
        return _decline(change, intent, method, cards.NEEDS_AUTHENTICATION)
    if card.authenticate:
        return _ask(change, intent, method, return_url)
    if card.decline:
        return _decline(change, intent, method, card.decline)
    return _authorise(change, intent, method)


def capture(change: Change, intent: Thing, params: dict[str, Any]) -> Thing:
    """Take what was authorised, or the part that `amount_to_capture` says."""
    if intent["status"] != "requires_capture":
        reason = (
            "it has already been captured"
            if intent["status"] == "succeeded"
            else f"it has a status of {intent['status']}. Only a PaymentIntent with one of the following statuses may "
            "be captured: requires_capture"
        )
        raise errors.unexpected_state(f"This PaymentIntent could not be captured because {reason}.", intent=intent)
    charge = change.store.get("charge", intent["latest_charge"])
    if charges.lapses_at(charge) <= shapes.now():
        expire(change, intent)
        raise errors.refused(
            "The authorisation of this PaymentIntent has expired, so that it cannot be captured.",
            code="charge_expired_for_capture",
            commits=True,
        )
    amount = _amount_to_capture(intent, params)
    charge = charges.capture(charge, amount=amount)
    intent |= {"amount_capturable": 0, "amount_received": amount, "status": "succeeded"}
    intent["metadata"] = _merged(intent["metadata"], params)
    return _settled(change, intent, charge, "charge.captured", "payment_intent.succeeded")


def cancel(change: Change, intent: Thing, params: dict[str, Any]) -> Thing:
    """End the intent; an authorisation is released."""
    if intent["status"] not in CANCELABLE:
        raise errors.unexpected_state(
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(CANCELABLE)}.",
            intent=intent,
        )
    return _cancel(change, intent, reason=params.get("cancellation_reason"), event="charge.refunded")


def expire(change: Change, intent: Thing) -> Thing:
    """What the network does to an authorisation that nobody captured in time."""
    return _cancel(change, intent, reason="automatic", event="charge.expired")


def update(change: Change, intent: Thing, params: dict[str, Any]) -> Thing:
    if "amount" in params:
        if intent["status"] not in CHANGEABLE:
            raise errors.unexpected_state(
                "This PaymentIntent's amount could not be updated because it has a status of "
                f"{intent['status']}. You may only update the amount of a PaymentIntent with one of the following "
                f"statuses: {', '.join(CHANGEABLE)}.",
                intent=intent,
            )
        currencies.check(amount=params["amount"], currency=intent["currency"])
        intent["amount"] = params["amount"]
    for name in ("description", "receipt_email"):
        if name in params:
            intent[name] = params[name]
    if "shipping" in params:
        intent["shipping"] = tokens.shipping(params["shipping"])
    intent["metadata"] = _merged(intent["metadata"], params)
    change.keep(intent)
    return intent


def _amount_to_capture(intent: Thing, params: dict[str, Any]) -> int:
    if "amount_to_capture" not in params:
        return int(intent["amount_capturable"])
    amount = int(params["amount_to_capture"])
    if amount < 1:
        raise errors.invalid(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount_to_capture",
        )
    if amount > intent["amount_capturable"]:
        raise errors.refused(
            f"The amount_to_capture {amount} is greater than the amount that can be captured, "
            f"{intent['amount_capturable']}.",
            code="amount_too_large",
            param="amount_to_capture",
        )
    return amount


def _automatic(params: dict[str, Any]) -> Thing | None:
    if "allowed_payment_method_types" in params:
        return None
    asked = params.get("automatic_payment_methods", {"enabled": True})
    return {"allow_redirects": "always"} | asked if asked["enabled"] else None


def _may_redirect(intent: Thing) -> bool:
    automatic = intent["automatic_payment_methods"]
    return bool(automatic) and automatic["allow_redirects"] != "never"


def _check_confirmable(intent: Thing) -> None:
    if intent["status"] in CONFIRMABLE:
        return
    reason = (
        "it has already succeeded after being previously confirmed"
        if intent["status"] == "succeeded"
        else f"it has a status of {intent['status']}. Only a PaymentIntent with one of the following statuses may be "
        "confirmed: requires_confirmation, requires_action"
    )
    raise errors.unexpected_state(f"You cannot confirm this PaymentIntent because {reason}.", intent=intent)


def _method(
    change: Change, intent: Thing, params: dict[str, Any], *, account: str
) -> tuple[Thing, cards.Card, str | None]:
    """The payment method to charge, its test card, and where the bank may send the shopper back to."""
    return_url = params.get("return_url")
    if "confirmation_token" in params:
        if "payment_method" in params:
            raise errors.invalid(
                "You may only specify one of these parameters: confirmation_token, payment_method.",
                param="confirmation_token",
            )
        token, method, name = tokens.use(change, params["confirmation_token"], intent=intent)
        intent["shipping"] = token["shipping"] or intent["shipping"]
        return method, cards.BY_NAME[name], return_url or token["return_url"]
    given = params.get("payment_method") or intent["payment_method"]
    if given is None:
        raise errors.unexpected_state(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method or ConfirmationToken.",
            intent=intent,
        )
    method, name = tokens.shortcut(change, given, account=account, param="payment_method")
    change.keep(method, card=name)
    return method, cards.BY_NAME[name], return_url


def _ask(change: Change, intent: Thing, method: Thing, return_url: str | None) -> Thing:
    """The bank wants 3-D Secure: Stripe says where; the sandbox has no bank to go to, the shop ends such an intent."""
    if return_url:
        action: Thing = {
            "redirect_to_url": {
                "return_url": return_url,
                "url": f"https://hooks.stripe.com/3d_secure_2/hosted?source={shapes.identity('src_')}",
            },
            "type": "redirect_to_url",
        }
    else:
        action = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"source": shapes.identity("src_"), "type": "three_d_secure_redirect"},
        }
    intent |= {
        "last_payment_error": None,
        "next_action": action,
        "payment_method": method["id"],
        "status": "requires_action",
    }
    change.keep(intent)
    change.tell("payment_intent.requires_action", intent)
    return intent


def _decline(change: Change, intent: Thing, method: Thing, decline: Decline) -> Thing:
    charge = charges.attempt(intent=intent, method=method, decline=decline)
    fields = {
        "advice_code": decline.advice,
        "charge": charge["id"],
        "code": decline.code,
        "decline_code": decline.decline_code,
        "message": decline.message,
    }
    if decline.code in ("expired_card", "incorrect_cvc"):
        fields["param"] = "exp_month" if decline.code == "expired_card" else "cvc"
    intent |= {
        "last_payment_error": {
            **fields,
            "doc_url": errors.DOCS + decline.code.replace("_", "-"),
            "payment_method": method,
            "type": "card_error",
        },
        "latest_charge": charge["id"],
        "next_action": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }
    _settled(change, intent, charge, "charge.failed", "payment_intent.payment_failed")
    raise errors.card(**fields, commits=True, payment_intent=intent, payment_method=method)


def _authorise(change: Change, intent: Thing, method: Thing) -> Thing:
    charge = charges.attempt(intent=intent, method=method, decline=None)
    intent |= {
        "last_payment_error": None,
        "latest_charge": charge["id"],
        "next_action": None,
        "payment_method": method["id"],
    }
    if intent["capture_method"] == "manual":
        intent |= {"amount_capturable": intent["amount"], "status": "requires_capture"}
        event = "payment_intent.amount_capturable_updated"
    else:
        charge = charges.capture(charge, amount=intent["amount"])
        intent |= {"amount_received": intent["amount"], "status": "succeeded"}
        event = "payment_intent.succeeded"
    return _settled(change, intent, charge, "charge.succeeded", event)


def _cancel(change: Change, intent: Thing, *, reason: str | None, event: str) -> Thing:
    held = intent["status"] == "requires_capture"
    intent |= {
        "amount_capturable": 0,
        "canceled_at": shapes.now(),
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    if held:
        charge = charges.release(change.store.get("charge", intent["latest_charge"]))
        return _settled(change, intent, charge, event, "payment_intent.canceled")
    change.keep(intent)
    change.tell("payment_intent.canceled", intent)
    return intent


def _settled(change: Change, intent: Thing, charge: Thing, charge_event: str, intent_event: str) -> Thing:
    change.keep(charge)
    change.keep(intent)
    change.tell(charge_event, charge)
    change.tell(intent_event, intent)
    return intent


def _merged(metadata: Thing, params: dict[str, Any]) -> Thing:
    if "metadata" not in params:
        return metadata
    if not params["metadata"]:
        return {}
    return {key: value for key, value in (metadata | params["metadata"]).items() if value}
