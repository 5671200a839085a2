"""Refunds of captured charges.

pending ─▶ succeeded ─▶ failed (the bank sends it back)
   └─────▶ failed

The test card decides whether a refund begins as pending; the control API settles one, and makes one fail.
"""

from typing import Any

from . import cards, currencies, errors, objects, parameters
from .objects import StripeObject
from .store import Transaction

CREATE_SCHEMA: dict[str, parameters.Parser] = {
    "amount": parameters.integer,
    "charge": parameters.string,
    "expand": parameters.array,
    "metadata": parameters.metadata,
    "payment_intent": parameters.string,
    "reason": parameters.enum("duplicate", "fraudulent", "requested_by_customer"),
}
OPEN = ("pending", "requires_action", "succeeded")


def create(transaction: Transaction, params: dict[str, Any]) -> StripeObject:
    """Refund a charge, or what is left of it."""
    charge = _charge(transaction, params)
    if not charge["captured"]:
        raise errors.rejected(
            f"Charge {charge['id']} has not been captured, so it can't be refunded.",
            code="charge_not_captured",
        )
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["disputed"]:
        raise errors.rejected(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
        )
    if not left:
        raise errors.rejected(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    amount = params.get("amount", left)
    if amount < 1:
        raise errors.invalid_request(
            "Invalid positive integer", code="parameter_invalid_integer", param="amount"
        )
    if amount > left:
        given, rest = (currencies.format_amount(value, charge["currency"]) for value in (amount, left))
        raise errors.rejected(
            f"Refund amount ({given}) is greater than unrefunded amount on charge ({rest})", param="amount"
        )
    card = cards.BY_NAME[transaction.store.test_cards[charge["payment_method"]]]
    refund = objects.new(
        "refund",
        id=objects.new_id("re_"),
        amount=amount,
        charge=charge["id"],
        currency=charge["currency"],
        metadata={key: value for key, value in params.get("metadata", {}).items() if value},
        payment_intent=charge["payment_intent"],
        reason=params.get("reason"),
        status="pending" if card.refunds_wait else "succeeded",
    )
    _save(transaction, refund, charge, refunded=amount, events=("refund.created", "charge.refunded"))
    return refund


def settle(
    transaction: Transaction, refund: StripeObject, *, status: str, failure_reason: str | None
) -> StripeObject:
    """Bring a refund to its next status, as a bank does days later."""
    charge = transaction.store.get("charge", refund["charge"])
    returned = 0
    if status in {"failed", "canceled"} and refund["status"] in OPEN:
        returned = refund["amount"]
    refund |= {"status": status, "failure_reason": failure_reason}
    events = ("refund.failed", "refund.updated") if status == "failed" else ("refund.updated",)
    _save(transaction, refund, charge, refunded=-returned, events=events)
    return refund


def _charge(transaction: Transaction, params: dict[str, Any]) -> StripeObject:
    if "charge" in params:
        return transaction.store.get("charge", params["charge"], param="charge", status=400)
    if "payment_intent" not in params:
        raise errors.invalid_request(
            "One of the following params should be provided: charge, payment_intent."
        )
    intent = transaction.store.get(
        "payment_intent", params["payment_intent"], param="payment_intent", status=400
    )
    if intent["status"] != "succeeded":
        raise errors.rejected(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            param="payment_intent",
        )
    return transaction.store.get("charge", intent["latest_charge"])


def _save(
    transaction: Transaction,
    refund: StripeObject,
    charge: StripeObject,
    *,
    refunded: int,
    events: tuple[str, ...],
) -> None:
    total = charge["amount_refunded"] + refunded
    charge |= {"amount_refunded": total, "refunded": total >= charge["amount_captured"]}
    transaction.save(refund)
    transaction.save(charge)
    for name in events:
        transaction.emit(name, charge if name.startswith("charge.") else refund)
