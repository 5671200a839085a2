"""Fresh objects with every field that Stripe's have; what shapes.json shows by example is blanked here."""

import json
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

Thing = dict[str, Any]
"""A Stripe object as JSON knows it."""

API_VERSION = "2026-10-28.endive"
ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SHAPES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "shapes.json").read_text())

NO_ADDRESS: Thing = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
NO_BILLING: Thing = {"address": NO_ADDRESS, "email": None, "name": None, "phone": None, "tax_id": None}
NO_CHECKS: Thing = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None}

BLANKS: dict[str, Thing] = {
    "payment_intent": {
        "automatic_payment_methods": None,
        "canceled_at": None,
        "capture_method": "automatic_async",
        "last_payment_error": None,
        "managed_payments": {"enabled": False},
        "next_action": None,
        "payment_method_configuration_details": None,
        "processing": None,
        "shipping": None,
        "transfer_data": None,
    },
    "charge": {
        "balance_transaction": None,
        "billing_details": NO_BILLING,
        "description": None,
        "paid": False,
        "receipt_url": None,
        "shipping": None,
        "source": None,
        "transfer_data": None,
    },
    "event": {"api_version": API_VERSION},
    "confirmation_token": {
        "livemode": False,
        "mandate_data": None,
        "payment_method_options": None,
        "return_url": None,
        "setup_future_usage": None,
        "shipping": None,
    },
    "payment_method": {"billing_details": NO_BILLING, "metadata": {}},
}


@cache
def _template(kind: str) -> str:
    return json.dumps(SHAPES["objects"][kind] | BLANKS[kind])


def fresh(kind: str, **fields: Any) -> Thing:
    """A new object of the kind, made now, with these fields."""
    thing: Thing = json.loads(_template(kind))
    return thing | {"created": now()} | fields


def compact(thing: object) -> str:
    """The one way that objects are written here: what is read back and written again is the same text."""
    return ENCODER.encode(thing)


def identity(prefix: str, length: int = 24) -> str:
    return prefix + "".join(ALPHABET[byte % 62] for byte in os.urandom(length))


def now() -> int:
    return int(time.time())


def card(*, brand: str, funding: str, last4: str, exp_month: int, exp_year: int, fingerprint: str, cvc: bool) -> Thing:
    """The `card` of a payment method."""
    shape: Thing = SHAPES["objects"]["payment_method"]["card"]
    return shape | {
        "brand": brand,
        "checks": NO_CHECKS | {"cvc_check": "unchecked" if cvc else None},
        "display_brand": brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": fingerprint,
        "funding": funding,
        "generated_from": None,
        "last4": last4,
        "networks": {"available": [brand], "preferred": None},
        "regulated_status": "unregulated",
        "wallet": None,
    }


def charged_card(card: Thing, *, amount: int, capture_before: int | None, approved: bool) -> Thing:
    """The `card` of a charge's payment_method_details. `capture_before` is None unless captured by hand."""
    shape: Thing = SHAPES["objects"]["charge"]["payment_method_details"]["card"]
    same = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4", "regulated_status")
    details = shape | {name: card[name] for name in same}
    details |= {
        "amount_authorized": amount if approved else None,
        "authorization_code": identity("", 6).upper() if approved else None,
        "checks": card["checks"] | {"cvc_check": "pass" if card["checks"]["cvc_check"] else None},
        "installments": None,
        "network": card["brand"],
        "network_transaction_id": identity("", 15).upper() if approved else None,
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "three_d_secure": None,
        "wallet": None,
    }
    return details if capture_before is None else details | {"capture_before": capture_before}
