"""Stripe, as far as the shop uses it. The only module that imports stripe.

Every call ends in one of four ways: an Intent; CardDeclined; StripeRefused (Stripe won't do this, and
hasn't); OutcomeUnknown (time-out, 5xx, too many calls, a conflict: it may have happened). After
OutcomeUnknown the caller repeats the call with the same idempotency key, or retrieves the intent; it never
assumes a result.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, cast

import requests
import stripe
from django.conf import settings

stripe.enable_telemetry = False


@dataclass(frozen=True)
class Card:
    """The card or wallet of a charge, as far as it was asked for along with its intent."""

    brand: str = ""
    last4: str = ""
    wallet: str = ""  # "apple_pay", "google_pay", "link" …
    three_d_secure: str = ""  # its result: "authenticated", "attempt_acknowledged" …
    capture_before: datetime | None = None  # when the authorisation ends


@dataclass(frozen=True)
class Intent:
    """The parts of a PaymentIntent that we use. Amounts are in the currency's smallest unit."""

    id: str
    status: str
    amount: int
    amount_received: int
    currency: str
    livemode: bool
    client_secret: str
    charge_id: str
    card: Card
    decline_code: str
    order: str  # the uuid of our order, from its metadata
    shop: str  # the deployment that created it, from its metadata


@dataclass(frozen=True)
class StripeRefund:
    """The parts of a Refund that we use. The amount is in the currency's smallest unit."""

    id: str
    status: str
    amount: int
    currency: str
    charge_id: str
    intent_id: str
    failure_reason: str
    created: datetime
    row: str  # the uuid of our row, from its metadata; empty if it was made in Stripe's dashboard


class OutcomeUnknown(Exception):
    """It may or may not have happened. `replayed`: Stripe repeats this answer to the same key for a day."""

    replayed = False


class StripeRefused(Exception):
    """Stripe won't do this; `reason` says why, without the request's id, so that a repeat reads the same.

    `intent` is the PaymentIntent as it is now, where Stripe sent it; `param` the parameter that is wrong.
    `is_about_account`: it is our key or what it may do, so every other call will be refused, too.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        intent: Intent | None,
        param: str = "",
        is_about_account: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason, self.intent = reason, intent
        self.param, self.is_about_account = param, is_about_account


class CardDeclined(Exception):
    """The bank declined; `intent` is ready for the next attempt."""

    def __init__(self, *, code: str, intent: Intent | None) -> None:
        super().__init__(code)
        self.code, self.intent = code, intent


class InvalidEvent(Exception):
    """A webhook that Stripe did not sign, or that can't be read."""


@cache
def client() -> stripe.StripeClient:
    seconds = (settings.STRIPE_CONNECT_SECONDS, settings.STRIPE_READ_SECONDS)
    session = requests.Session()
    # requests looks for a proxy at each call; the demo's sandbox is on this machine and needs none.
    session.trust_env = not settings.DEMO
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses={"api": settings.STRIPE_API_BASE},
        max_network_retries=0,  # sweeps retry, with the same idempotency key
        http_client=stripe.RequestsClient(timeout=seconds, session=session),
    )


def create(*, amount: int, currency: str, order: str, key: str, description: str) -> Intent:
    """Create a PaymentIntent for the order, unconfirmed, with manual capture."""
    return call(
        idempotency_key=key,
        amount=amount,
        currency=currency.lower(),
        capture_method="manual",
        allowed_payment_method_types=["card"],
        description=description,
        metadata={"order": order, "shop": settings.SHOP_ORIGIN},
    )


def confirm(*, intent_id: str, token: str, key: str, return_url: str) -> Intent:
    """Confirm with a ConfirmationToken.

    If the bank wants to authenticate the shopper, that can be done in the shop's own page; where the bank
    needs a page of its own, it leads back to `return_url`.
    """
    return call(
        f"/{intent_id}/confirm",
        idempotency_key=key,
        confirmation_token=token,
        return_url=return_url,
        use_stripe_sdk=True,
        expand=["latest_charge"],
    )


def capture(*, intent_id: str, key: str) -> Intent:
    return call(f"/{intent_id}/capture", idempotency_key=key)


def cancel(*, intent_id: str, key: str) -> Intent:
    return call(f"/{intent_id}/cancel", idempotency_key=key)


def retrieve(*, intent_id: str) -> Intent:
    return call(f"/{intent_id}", method="get", expand=["latest_charge"])


def refund(*, intent_id: str, amount: int, row: str, key: str) -> StripeRefund:
    """Refund a part of the captured amount. `row` is the uuid of our row, which the refund will carry."""
    return refund_from_json(
        request(
            "/refunds",
            idempotency_key=key,
            payment_intent=intent_id,
            amount=amount,
            metadata={"refund": row, "shop": settings.SHOP_ORIGIN},
        )
    )


def refunds(*, intent_id: str) -> list[StripeRefund]:
    """Return the newest hundred refunds of an intent."""
    found = request("/refunds", method="get", payment_intent=intent_id, limit=100)
    return [refund_from_json(body) for body in found["data"]]


def probe() -> None:
    """Make a call that changes nothing. Raises StripeRefused while our key or what it may do is refused."""
    request("/payment_intents", method="get", limit=1)


def intents(*, since: datetime) -> Iterator[Intent]:
    """Return every PaymentIntent created since then, by us or anyone else. Raises OutcomeUnknown."""
    try:
        page = client().v1.payment_intents.list({"created": {"gte": int(since.timestamp())}, "limit": 100})
        for intent in page.auto_paging_iter():
            yield intent_from_json(intent.to_dict())
    except stripe.StripeError as error:
        raise OutcomeUnknown(str(error)) from error


def read_event(*, body: bytes, signature: str) -> dict[str, Any]:
    """Return a webhook's event, if one of our secrets verifies the raw bytes. Raises InvalidEvent."""
    try:
        verify(body=body, signature=signature)
        event: dict[str, Any] = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("the body isn't a valid event") from error
    return event


def verify(*, body: bytes, signature: str) -> None:
    """Check that one of our secrets signed these bytes recently.

    Raises InvalidEvent if none did, ValueError if the bytes are not text.
    """
    fault = "no webhook secret is set"
    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        try:
            stripe.WebhookSignature.verify_header(body, signature, secret, stripe.Webhook.DEFAULT_TOLERANCE)
        except stripe.SignatureVerificationError as error:
            fault = str(error)
        else:
            return
    raise InvalidEvent(fault)


def call(path: str = "", *, method: str = "post", **params: Any) -> Intent:
    """Make one call about an intent. Raises CardDeclined, StripeRefused or OutcomeUnknown."""
    return intent_from_json(request(f"/payment_intents{path}", method=method, **params))


def request(path: str, *, method: str = "post", **params: Any) -> dict[str, Any]:
    """Make one call and return the answer. Raises CardDeclined, StripeRefused or OutcomeUnknown.

    Uses the client's raw requests, because building objects with every field of the answer costs more than
    the call.
    """
    try:
        answer: dict[str, Any] = client().raw_request(method, f"/v1{path}", **params).data
        return answer
    except stripe.CardError as error:
        raise CardDeclined(code=decline_code(error), intent=intent_of(error)) from error
    except (stripe.InvalidRequestError, stripe.IdempotencyError) as error:
        raise StripeRefused(
            str(error),
            reason=error.user_message or "",
            intent=intent_of(error),
            param=getattr(error, "param", None) or "",
        ) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise StripeRefused(
            str(error), reason=error.user_message or str(error), intent=None, is_about_account=True
        ) from error
    except stripe.StripeError as error:
        unknown = OutcomeUnknown(str(error))
        headers = error.headers or {}  # a mapping that ignores case
        unknown.replayed = headers.get("idempotent-replayed") == "true"
        raise unknown from error


def decline_code(error: stripe.CardError) -> str:
    return (error.error and error.error.decline_code) or error.code or "declined"


def intent_of(error: stripe.StripeError) -> Intent | None:
    answer = cast("dict[str, Any]", error.json_body or {})
    body = answer.get("error", {}).get("payment_intent")
    return intent_from_json(body) if body else None


def refund_from_json(body: dict[str, Any]) -> StripeRefund:
    """Return the StripeRefund that a Refund's JSON describes."""
    return StripeRefund(
        id=body["id"],
        status=body["status"],
        amount=body["amount"],
        currency=body["currency"].upper(),
        charge_id=body.get("charge") or "",
        intent_id=body.get("payment_intent") or "",
        failure_reason=body.get("failure_reason") or "",
        created=datetime.fromtimestamp(body["created"], UTC),
        row=(body.get("metadata") or {}).get("refund", ""),
    )


def card_from_json(charge: dict[str, Any]) -> Card:
    """Return what a Charge's JSON says about its card."""
    card = (charge.get("payment_method_details") or {}).get("card") or {}
    ends = card.get("capture_before")
    return Card(
        brand=card.get("brand") or "",
        last4=card.get("last4") or "",
        wallet=(card.get("wallet") or {}).get("type") or "",
        three_d_secure=(card.get("three_d_secure") or {}).get("result") or "",
        capture_before=datetime.fromtimestamp(ends, UTC) if ends else None,
    )


def intent_from_json(body: dict[str, Any]) -> Intent:
    """Return the Intent that a PaymentIntent's JSON describes."""
    charge = body.get("latest_charge") or ""  # its id, or the whole charge if that was asked for
    last_error = body.get("last_payment_error") or {}
    metadata = body.get("metadata") or {}
    return Intent(
        id=body["id"],
        status=body["status"],
        amount=body["amount"],
        amount_received=body.get("amount_received") or 0,
        currency=body["currency"].upper(),
        livemode=body["livemode"],
        client_secret=body.get("client_secret") or "",
        charge_id=charge if isinstance(charge, str) else charge["id"],
        card=Card() if isinstance(charge, str) else card_from_json(charge),
        decline_code=last_error.get("decline_code") or last_error.get("code") or "",
        order=metadata.get("order", ""),
        shop=metadata.get("shop", ""),
    )
