"""Charges: one per attempt at an intent, declined, authorised or captured.

authorised ─▶ captured
    └──────▶ refunded (released, with its intent)
"""

from . import shapes
from .cards import Decline
from .shapes import Thing

AUTHORISATION_SECONDS = 7 * 86400
APPROVED: Thing = {
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


def attempt(*, intent: Thing, method: Thing, decline: Decline | None) -> Thing:
    """The charge that a confirmation makes: authorised, or failed with the decline's reason."""
    manual = intent["capture_method"] == "manual"
    charge = shapes.fresh(
        "charge",
        id=shapes.identity("ch_"),
        amount=intent["amount"],
        billing_details=method["billing_details"],
        calculated_statement_descriptor=None if decline else "DROPSITE SANDBOX",
        captured=False,
        currency=intent["currency"],
        description=intent["description"],
        failure_code=decline.code if decline else None,
        failure_message=decline.message if decline else None,
        metadata=intent["metadata"],
        outcome=_outcome(decline),
        paid=decline is None,
        payment_intent=intent["id"],
        payment_method=method["id"],
        receipt_email=intent["receipt_email"],
        shipping=intent["shipping"],
        status="failed" if decline else "succeeded",
    )
    charge["refunds"] = {"data": [], "has_more": False, "object": "list", "url": f"/v1/charges/{charge['id']}/refunds"}
    charge["payment_method_details"] = {
        "card": shapes.charged_card(
            method["card"],
            amount=intent["amount"],
            capture_before=charge["created"] + AUTHORISATION_SECONDS if manual and not decline else None,
            approved=decline is None,
        ),
        "type": "card",
    }
    return charge


def capture(charge: Thing, *, amount: int) -> Thing:
    """Take this much of what was authorised; the rest is released."""
    rest = charge["amount"] - amount
    return charge | {"captured": True, "amount_captured": amount, "amount_refunded": rest}


def release(charge: Thing) -> Thing:
    """Give the authorisation back: Stripe shows it as a refund of the whole."""
    return charge | {"amount_refunded": charge["amount"], "refunded": True}


def lapses_at(charge: Thing) -> int:
    """Unix second until which the charge can be captured."""
    return int(charge["payment_method_details"]["card"]["capture_before"])


def _outcome(decline: Decline | None) -> Thing:
    if decline is None:
        return APPROVED
    return APPROVED | {
        "advice_code": decline.advice,
        "network_decline_code": "51" if decline.decline_code == "insufficient_funds" else "05",
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }
