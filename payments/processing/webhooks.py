"""Stripe's events: stored as they come, then settled in batches. They arrive twice, late, in any order.

stored ─▶ settled
└──▶ ignored     another mode's, another deployment's, of a kind we don't use, or of no intent of ours
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from payments.checkout.submit import livemode
from payments.models import Event, Payment
from payments.processing import gateway
from shop.core.prepared import Insert

USED = (
    "payment_intent.amount_capturable_updated",
    "payment_intent.canceled",
    "payment_intent.payment_failed",
    "payment_intent.processing",
    "payment_intent.requires_action",
    "payment_intent.succeeded",
)
EVENT = Insert(Event)
QUIET = timedelta(seconds=2)  # who asked the bank has most likely had the answer, too
WAIT = timedelta(minutes=10)  # an event may come before our own commit; after this its intent is not ours


def receive(*, body: bytes, signature: str) -> None:
    """Store a webhook's event if it is new. Raises gateway.BadEvent, with nothing stored."""
    said = gateway.read_event(body=body, signature=signature)
    try:
        about: dict[str, Any] = said["data"]["object"]
        event = {"id": said["id"], "type": said["type"], "livemode": said["livemode"], "payload": said}
        event["intent_id"] = about["id"] if about["object"] == "payment_intent" else about.get("payment_intent") or ""
    except (KeyError, TypeError) as error:
        raise gateway.InvalidEvent(f"an event without {error}") from error
    if reason := foreign(said=said, about=about):
        event |= {"state": Event.State.IGNORED, "reason": reason, "settled_at": timezone.now()}
    EVENT.unless_there(**event)  # a repeat changes nothing


def foreign(*, said: dict[str, Any], about: dict[str, Any]) -> str:
    """Say why the event is not for us, or nothing."""
    if said["livemode"] != livemode():
        return "other mode"
    if said["type"] not in USED:
        return "unused type"
    if about.get("metadata", {}).get("shop") != settings.SHOP_ORIGIN:
        return "other deployment"
    return ""


def process_stored() -> list[int]:
    """Settle the events whose payment is over, ignore those of unknown intents; the orders that are to be looked at."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE payments_event e SET state = 'settled', settled_at = statement_timestamp()
            FROM payments_payment p
            WHERE e.state = 'stored' AND p.intent_id = e.intent_id
              AND (p.state IN ('captured', 'voided') OR e.received_at < greatest(p.looked_at, p.changed_at))
            """
        )
        if not cursor.rowcount and not Event.objects.filter(state=Event.State.STORED).exists():
            return []
    stored = Event.objects.filter(state=Event.State.STORED, received_at__lt=Now() - QUIET)
    known = Payment.objects.filter(intent_id__in=stored.values("intent_id"))
    stored.filter(received_at__lt=Now() - WAIT).exclude(intent_id__in=known.values("intent_id")).update(
        state=Event.State.IGNORED, reason="unknown intent", settled_at=Now()
    )
    return list(known.values_list("order_id", flat=True))
