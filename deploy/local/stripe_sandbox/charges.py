"""Charges: one for each attempt to confirm an intent.

failed
authorised ─▶ captured
    └──────▶ refunded (the authorisation is released when its intent is canceled)
"""

from . import objects
from .cards import Decline
from .objects import StripeObject

AUTHORISATION_SECONDS = 7 * 86400
APPROVED_OUTCOME: StripeObject = {
    "advice_code": None,
    "network_advice_code": None,
    "network_decline_code": None,
    "network_status": "approved_by_network",
    "reason": None,
    "risk_level": "normal",
    "risk_score": 5,
    "seller_message": "Payment complete.",
    "type": "authorized",
}


def create(*, intent: StripeObject, payment_method: StripeObject, decline: Decline | None) -> StripeObject:
    """Return the charge of one confirmation: authorised, or failed with the decline's reason."""
    charge = objects.new(
        "charge",
        id=objects.new_id("ch_"),
        amount=intent["amount"],
        billing_details=payment_method["billing_details"],
        calculated_statement_descriptor="DROPSITE SANDBOX",
        captured=False,
        currency=intent["currency"],
        description=intent["description"],
        failure_code=None,
        failure_message=None,
        metadata=intent["metadata"],
        outcome=_outcome(decline),
        paid=decline is None,
        payment_intent=intent["id"],
        payment_method=payment_method["id"],
        receipt_email=intent["receipt_email"],
        shipping=intent["shipping"],
        status="succeeded",
    )
    if decline:
        charge |= {
            "calculated_statement_descriptor": None,
            "failure_code": decline.code,
            "failure_message": decline.message,
            "status": "failed",
        }
    refunds_url = f"/v1/charges/{charge['id']}/refunds"
    charge["refunds"] = {"data": [], "has_more": False, "object": "list", "url": refunds_url}
    capture_before = None
    if intent["capture_method"] == "manual" and not decline:
        capture_before = charge["created"] + AUTHORISATION_SECONDS
    charge["payment_method_details"] = {
        "card": objects.charge_card(
            payment_method["card"],
            amount=intent["amount"],
            capture_before=capture_before,
            approved=decline is None,
        ),
        "type": "card",
    }
    return charge


def capture(charge: StripeObject, *, amount: int) -> StripeObject:
    """Return the charge with this amount captured; the rest of the authorisation is released."""
    released = charge["amount"] - amount
    return charge | {"captured": True, "amount_captured": amount, "amount_refunded": released}


def release(charge: StripeObject) -> StripeObject:
    """Return the charge with its authorisation released, which Stripe shows as a full refund."""
    return charge | {"amount_refunded": charge["amount"], "refunded": True}


def authorised_until(charge: StripeObject) -> int:
    """Return the Unix time at which the authorisation expires."""
    return int(charge["payment_method_details"]["card"]["capture_before"])


def _outcome(decline: Decline | None) -> StripeObject:
    if decline is None:
        return APPROVED_OUTCOME
    network_decline_code = "05"
    if decline.decline_code == "insufficient_funds":
        network_decline_code = "51"
    return APPROVED_OUTCOME | {
        "advice_code": decline.advice_code,
        "network_decline_code": network_decline_code,
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }
