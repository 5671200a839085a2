"""New Stripe objects with every field that Stripe's have, made from the examples in stripe_spec.json."""

import json
import os
import time
from functools import cache
from pathlib import Path
from typing import Any

StripeObject = dict[str, Any]
"""A Stripe object, or a part of one, as decoded JSON."""

API_VERSION = "2026-10-28.endive"
JSON_ENCODER = json.JSONEncoder(separators=(",", ":"), check_circular=False)
BASE62_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SPEC: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "stripe_spec.json").read_text())
"""`objects`: Stripe's example of each object.

`parameters`: the names that Stripe accepts for each operation.
"""

EMPTY_ADDRESS: StripeObject = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
EMPTY_BILLING_DETAILS: StripeObject = {
    "address": EMPTY_ADDRESS,
    "email": None,
    "name": None,
    "phone": None,
    "tax_id": None,
}
NO_CHECKS: StripeObject = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None}

INITIAL_FIELDS: dict[str, StripeObject] = {
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
        "billing_details": EMPTY_BILLING_DETAILS,
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
    "refund": {},
    "payment_method": {"billing_details": EMPTY_BILLING_DETAILS, "metadata": {}},
}
"""Values of a new object that differ from the examples in stripe_spec.json."""


def new(object_type: str, **fields: Any) -> StripeObject:
    """Return a new object of the type, created now, with these fields."""
    # Parsing the text again gives every object nested values of its own.
    obj: StripeObject = json.loads(_template(object_type))
    return obj | {"created": unix_time()} | fields


@cache
def _template(object_type: str) -> str:
    return json.dumps(SPEC["objects"][object_type] | INITIAL_FIELDS[object_type])


def new_id(prefix: str, length: int = 24) -> str:
    return prefix + "".join(BASE62_ALPHABET[byte % 62] for byte in os.urandom(length))


def unix_time() -> int:
    return int(time.time())


def to_json(value: object) -> str:
    """Encode compactly. An object that is read back and encoded again is the same text."""
    return JSON_ENCODER.encode(value)


def payment_method_card(
    *, brand: str, funding: str, last4: str, exp_month: int, exp_year: int, fingerprint: str, has_cvc: bool
) -> StripeObject:
    """Return the `card` of a payment method."""
    example: StripeObject = SPEC["objects"]["payment_method"]["card"]
    cvc_check = None
    if has_cvc:
        cvc_check = "unchecked"
    return example | {
        "brand": brand,
        "checks": NO_CHECKS | {"cvc_check": cvc_check},
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


def charge_card(
    card: StripeObject, *, amount: int, capture_before: int | None, approved: bool
) -> StripeObject:
    """Return the `card` of a charge's payment_method_details.

    `capture_before` is None without manual capture.
    """
    example: StripeObject = SPEC["objects"]["charge"]["payment_method_details"]["card"]
    copied = (
        "brand",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "regulated_status",
    )
    details = example | {name: card[name] for name in copied}
    cvc_check = None
    if card["checks"]["cvc_check"]:
        cvc_check = "pass"
    details |= {
        "amount_authorized": None,
        "authorization_code": None,
        "checks": card["checks"] | {"cvc_check": cvc_check},
        "installments": None,
        "network": card["brand"],
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "three_d_secure": None,
        "wallet": None,
    }
    if approved:
        details |= {
            "amount_authorized": amount,
            "authorization_code": new_id("", 6).upper(),
            "network_transaction_id": new_id("", 15).upper(),
        }
    if capture_before is not None:
        details["capture_before"] = capture_before
    return details
