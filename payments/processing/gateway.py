"""Stripe, as far as the shop uses it. The only module that imports stripe.

Every call ends in one of four ways: an Intent; Declined (the bank said no); Refused (Stripe will not do this, and has
not); Unknown (time-out, 5xx, too many calls, a conflict: it may have happened). After Unknown the caller asks again
with the same idempotency key, or retrieves; it never concludes.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, cast

import requests
import stripe
from django.conf import settings

stripe.enable_telemetry = False


@dataclass(frozen=True)
class Intent:
    """What the shop reads of a PaymentIntent. Amounts in the currency's smallest unit."""

    id: str
    status: str
    amount: int
    amount_received: int
    currency: str
    livemode: bool
    charge_id: str
    decline_code: str
    order: str  # uuid of our order, from its metadata
    shop: str  # which deployment made it


class OutcomeUnknown(Exception):
    """It may or may not have happened. `replayed`: this key will get no other answer for a day."""

    replayed = False


class StripeRefused(Exception):
    """Stripe will not do this, and says why. `intent` is the intent as it stands, where Stripe gave it."""

    def __init__(self, said: str, *, intent: Intent | None) -> None:
        super().__init__(said)
        self.intent = intent


class CardDeclined(Exception):
    """The bank said no; `intent` is ready for another attempt."""

    def __init__(self, *, code: str, intent: Intent | None) -> None:
        super().__init__(code)
        self.code, self.intent = code, intent


class InvalidEvent(Exception):
    """A webhook that Stripe did not sign, or that cannot be read."""


@cache
def client() -> stripe.StripeClient:
    seconds = (settings.STRIPE_CONNECT_SECONDS, settings.STRIPE_READ_SECONDS)
    session = requests.Session()
    session.trust_env = not settings.DEMO  # a proxy is looked for at each call, and the sandbox is on this machine
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses={"api": settings.STRIPE_API_BASE},
        max_network_retries=0,  # the rows retry, with the same key
        http_client=stripe.RequestsClient(timeout=seconds, session=session),
    )


def create(*, amount: int, currency: str, order: str, key: str, description: str) -> Intent:
    """Make an intent for the order, unconfirmed, to be captured by hand."""
    return ask(
        idempotency_key=key,
        amount=amount,
        currency=currency.lower(),
        capture_method="manual",
        allowed_payment_method_types=["card"],
        description=description,
        metadata={"order": order, "shop": settings.SHOP_ORIGIN},
    )


def confirm(*, intent_id: str, token: str, key: str, return_url: str) -> Intent:
    """Confirm with a ConfirmationToken."""
    return ask(f"/{intent_id}/confirm", idempotency_key=key, confirmation_token=token, return_url=return_url)


def capture(*, intent_id: str, key: str) -> Intent:
    return ask(f"/{intent_id}/capture", idempotency_key=key)


def cancel(*, intent_id: str, key: str) -> Intent:
    return ask(f"/{intent_id}/cancel", idempotency_key=key)


def retrieve(*, intent_id: str) -> Intent:
    return ask(f"/{intent_id}", method="get")


def intents(*, since: datetime) -> Iterator[Intent]:
    """Give every intent made since then, whoever made it, page by page. Raises Unknown."""
    try:
        page = client().v1.payment_intents.list({"created": {"gte": int(since.timestamp())}, "limit": 100})
        for intent in page.auto_paging_iter():
            yield read(intent.to_dict())
    except stripe.StripeError as error:
        raise OutcomeUnknown(str(error)) from error


def read_event(*, body: bytes, signature: str) -> dict[str, Any]:
    """Give a webhook's event as plain data, once one of our secrets has verified the raw bytes. Raises BadEvent."""
    try:
        verify(body=body, signature=signature)
        event: dict[str, Any] = json.loads(body)
    except ValueError as error:
        raise InvalidEvent("the body is no event") from error
    return event


def verify(*, body: bytes, signature: str) -> None:
    """Raises: BadEvent, unless one of our secrets signed these bytes lately; ValueError, where they are no text."""
    said = "no secret is set"
    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        try:
            stripe.WebhookSignature.verify_header(body, signature, secret, stripe.Webhook.DEFAULT_TOLERANCE)
        except stripe.SignatureVerificationError as error:
            said = str(error)
        else:
            return
    raise InvalidEvent(said)


def ask(path: str = "", *, method: str = "post", **given: Any) -> Intent:
    """Make one call about an intent, and sort its end into Intent, Declined, Refused or Unknown.

    By the client's raw requests: objects with every field of the answer cost more than the call itself.
    """
    try:
        return read(client().raw_request(method, f"/v1/payment_intents{path}", **given).data)
    except stripe.CardError as error:
        raise CardDeclined(code=decline_code(error), intent=intent_of(error)) from error
    except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
        raise StripeRefused(str(error), intent=intent_of(error)) from error
    except stripe.StripeError as error:
        unknown = OutcomeUnknown(str(error))
        headers = error.headers or {}  # without regard to case
        unknown.replayed = headers.get("idempotent-replayed") == "true"
        raise unknown from error


def decline_code(error: stripe.CardError) -> str:
    return (error.error and error.error.decline_code) or error.code or "declined"


def intent_of(error: stripe.StripeError) -> Intent | None:
    said = cast("dict[str, Any]", error.json_body or {})
    body = said.get("error", {}).get("payment_intent")
    return read(body) if body else None


def read(body: dict[str, Any]) -> Intent:
    """Read a PaymentIntent's JSON."""
    charge = body.get("latest_charge") or ""
    failed = body.get("last_payment_error") or {}
    metadata = body.get("metadata") or {}
    return Intent(
        id=body["id"],
        status=body["status"],
        amount=body["amount"],
        amount_received=body.get("amount_received") or 0,
        currency=body["currency"].upper(),
        livemode=body["livemode"],
        charge_id=charge if isinstance(charge, str) else charge["id"],
        decline_code=failed.get("decline_code") or failed.get("code") or "",
        order=metadata.get("order", ""),
        shop=metadata.get("shop", ""),
    )
