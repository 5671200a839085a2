"""Stripe's events: stored as they come, then processed in batches. They arrive twice, late and in any order.

stored ─▶ processed
└──▶ ignored     from a different mode or deployment, of an unused type, or about an intent that isn't ours
"""

import json
import re
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from payments.checkout.submission import is_livemode
from payments.models import Event, Payment
from payments.processing import events, gateway

INTENT_TYPES = (
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
)
UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # what Postgres refuses in a text: NUL and lone surrogates
ESCAPED = re.compile(rb"\\u(0000|d[89a-f])", re.IGNORECASE)  # how JSON writes them, and pairs of surrogates
PROCESS_AFTER = timedelta(seconds=2)  # by then the worker that made the call has probably had the answer
IGNORE_AFTER = timedelta(minutes=10)  # an event may come before our commit; later, its intent isn't ours


def receive(*, body: bytes, signature: str) -> None:
    """Store a webhook's event if it is new. Raises gateway.InvalidEvent, with nothing stored."""
    payload = gateway.read_event(body=body, signature=signature)
    if ESCAPED.search(body):
        payload = storable(payload)
    try:
        subject: dict[str, Any] = payload["data"]["object"]
        event = Event(
            id=payload["id"],
            type=payload["type"],
            livemode=payload["livemode"],
            payload=payload,
            intent_id=intent_id_of(subject),
            charge_id=str(subject.get("charge") or ""),
        )
        event.clean_fields(exclude={"payload", "received_at", "processed_at"})
        reason = reason_to_ignore(event, subject)
    except (KeyError, TypeError, AttributeError) as error:
        raise gateway.InvalidEvent(f"an event without {error}") from error
    except ValidationError as error:
        raise gateway.InvalidEvent(f"an event with a wrong value: {error}") from error
    if reason:
        event.state, event.reason, event.processed_at = Event.State.IGNORED, reason, timezone.now()
    insert(event)


def storable(value: Any) -> Any:
    """Return a value from JSON, with U+FFFD in the place of what Postgres refuses and a shopper can type."""
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    return value


def insert(event: Event) -> None:
    """Insert the event, unless it is stored already: Stripe sends each one until it gets an answer."""
    # bulk_create(ignore_conflicts=True) would do the same in a transaction, and its three round trips take as
    # long as everything else about the request.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO payments_event
                (id, type, livemode, intent_id, charge_id, payload, state, reason, received_at, processed_at)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, statement_timestamp(), %s)
            ON CONFLICT (id) DO NOTHING
            """,
            [
                event.id,
                event.type,
                event.livemode,
                event.intent_id,
                event.charge_id,
                json.dumps(event.payload),
                event.state,
                event.reason,
                event.processed_at,
            ],
        )


def intent_id_of(subject: dict[str, Any]) -> str:
    """Return the id of the PaymentIntent that an event's object is, or belongs to; empty if there is none."""
    if subject["object"] == "payment_intent":
        return str(subject["id"])
    return str(subject.get("payment_intent") or "")


def reason_to_ignore(event: Event, subject: dict[str, Any]) -> str:
    """Return why the event isn't for us, or nothing."""
    if event.livemode != is_livemode():
        return "other mode"
    if event.type in events.HANDLERS:
        return ""  # whose it is, its intent or charge says: what is done in the dashboard has no metadata of ours
    if event.type not in INTENT_TYPES:
        return "unused type"
    if subject.get("metadata", {}).get("shop") != settings.SHOP_ORIGIN:
        return "other deployment"
    return ""


def process_stored() -> list[int]:
    """Mark events that tell nothing new as processed; return the ids of the orders of all others."""
    with connection.cursor() as cursor:
        # Nothing new: the payment is final, or it has changed or was checked since the event came.
        cursor.execute(
            """
            UPDATE payments_event e SET state = 'processed', processed_at = statement_timestamp()
            FROM payments_payment p
            WHERE e.state = 'stored' AND p.intent_id = e.intent_id AND e.type LIKE 'payment_intent.%'
              AND (p.state IN ('captured', 'voided') OR e.received_at < greatest(p.checked_at, p.changed_at))
            """
        )
        if not cursor.rowcount and not Event.objects.filter(state=Event.State.STORED).exists():
            return []
    events.process_due()
    stored = Event.objects.filter(state=Event.State.STORED, received_at__lt=Now() - PROCESS_AFTER)
    about_intents = stored.filter(type__in=INTENT_TYPES)
    ours = Payment.objects.filter(intent_id__in=about_intents.values("intent_id"))
    known = Payment.objects.filter(intent_id__isnull=False)
    foreign = stored.filter(received_at__lt=Now() - IGNORE_AFTER).exclude(
        Q(intent_id__in=known.values("intent_id"))
        | Q(~Q(charge_id=""), charge_id__in=known.values("charge_id"))
    )
    foreign.update(state=Event.State.IGNORED, reason="unknown intent", processed_at=Now())
    return list(ours.values_list("order_id", flat=True))
