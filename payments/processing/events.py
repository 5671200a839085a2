"""Stripe's events about other things than intents, each processed by its type, in any state of the payment.

An event belongs to us by the id of its intent or charge: what is done in Stripe's dashboard carries no
metadata of ours. Each is processed in a transaction of its own, so that one that fails holds up no other.
"""

import logging
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from payments.models import Event, Payment
from payments.processing import refunds
from shop.core import alerts

log = logging.getLogger(__name__)

HANDLERS: dict[str, Callable[[Payment, dict[str, Any]], None]] = {
    "refund.created": refunds.record_event,
    "refund.failed": refunds.record_event,
    "refund.updated": refunds.record_event,
}
MAX_PER_SWEEP = 200
ALERT_TRIES = 5
ALERT_SUBJECT = "Stripe events not processed"


def process_due(*, limit: int = MAX_PER_SWEEP) -> int:
    """Process stored events of these types whose payment we know, oldest first; return how many were."""
    stored = Event.objects.filter(state=Event.State.STORED, type__in=HANDLERS)
    done = sum(process(event) for event in stored.order_by("received_at")[:limit])
    stuck = stored.filter(tries__gte=ALERT_TRIES).count()
    if stuck:
        alerts.raise_alert(
            source="payments",
            subject=ALERT_SUBJECT,
            message=f"{stuck} of Stripe's events can't be processed. Each is listed with its error under events"
            " in the admin, and is tried again every few seconds.",
        )
    elif done:
        alerts.resolve(subject=ALERT_SUBJECT)
    return done


def process(event: Event) -> bool:
    """Process one event; return False if its payment isn't known yet, or if it failed."""
    payment = payment_of(event)
    if payment is None:
        return False
    row = Event.objects.filter(pk=event.pk, state=Event.State.STORED)
    try:
        with transaction.atomic():
            HANDLERS[event.type](payment, event.payload["data"]["object"])
            row.update(state=Event.State.PROCESSED, processed_at=Now())
    except Exception as error:  # one that fails holds up no other
        log.exception("event %s could not be processed", event)
        row.update(tries=F("tries") + 1, last_error=str(error) or type(error).__name__)
        return False
    return True


def payment_of(event: Event) -> Payment | None:
    """Return the payment that the event is about, by its intent or its charge."""
    payments = Payment.objects.select_related("order__hold__drop")
    if event.intent_id:
        return payments.filter(intent_id=event.intent_id).first()
    if event.charge_id:
        return payments.filter(charge_id=event.charge_id).first()
    return None
