"""Alerts: what needs a person. One open alert per subject, sent once by email and once by signed webhook.

    alerts.raise_alert(
        source="payments",
        subject=f"order:{order.number} capture",
        message="Stripe refuses to capture order 7KQ2-9XMD. Capture or cancel it in Stripe's dashboard.",
        details={"drop": drop.slug},
    )
    alerts.resolve(subject=f"order:{order.number} capture")

Raise an alert as often as the fault is seen: while it is open, only its message is updated, and nothing is
sent again. Resolve it where the fault is seen to be over. Raised again later, it is a new alert, and is sent
again. Both functions only write rows, in the caller's transaction; a worker sends them (`send_due`).
"""

import json
from collections.abc import Mapping
from textwrap import shorten

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.html import format_html, format_html_join

from shop.core import outbound, outbox
from shop.core.models import Alert

WEBHOOK_SECONDS = 5.0  # for one call, from looking up the name to the last byte


def raise_alert(
    *, source: str, subject: str, message: str, details: Mapping[str, str] | None = None
) -> Alert:
    """Open the alert and write its email, or update the message of the one that is open.

    `source` is the part of the system that raises it: "scaling", "payments", "waitingroom", "mail".
    `subject` identifies the alert. `message` is one or more whole sentences: what happened, and what to do.
    `details` are names for programs, such as {"drop": slug}; the webhook has keys for "drop" and "target".
    """
    with transaction.atomic():
        alert, is_new = Alert.objects.get_or_create(
            subject=subject,
            resolved_at=None,
            defaults={"source": source, "message": message, "details": dict(details or {})},
        )
        if is_new and settings.OPS_MAIL:
            _put_email(alert)
    if not is_new and alert.message != message:
        Alert.objects.filter(pk=alert.pk).update(message=message)
    return alert


def resolve(*, subject: str) -> bool:
    """Resolve the open alert of that subject; return whether there was one."""
    return bool(Alert.objects.open().filter(subject=subject).update(resolved_at=Now()))


def send_due(*, limit: int = 20) -> int:
    """Send the webhook of each alert that has not been sent, oldest first; return how many were sent."""
    if not settings.OPS_WEBHOOK_URL:
        return 0
    return outbox.send_due(Alert, send=send_webhook, limit=limit)


def send_webhook(alert: Alert) -> None:
    """Send one alert by webhook. Raises NotSent."""
    try:
        answer = outbound.post(
            url=settings.OPS_WEBHOOK_URL,
            body=webhook_body(alert),
            secret=settings.OPS_WEBHOOK_SECRET,
            key=f"alert-{alert.pk}",
            seconds=WEBHOOK_SECONDS,
        )
    except outbound.OutboundError as error:
        raise outbox.NotSent(str(error)) from error
    if not 200 <= answer.status < 300:
        raise outbox.NotSent(f"The receiver answered {answer.status}.")


def webhook_body(alert: Alert) -> bytes:
    """Return the webhook's JSON, as docs/settings.md describes it."""
    ended_at = None
    if alert.resolved_at:
        ended_at = alert.resolved_at.isoformat()
    return json.dumps(
        {
            "type": f"{alert.source}.alert",
            "id": alert.pk,
            "about": alert.subject,
            "words": alert.message,
            "at": alert.created_at.isoformat(),
            "ended_at": ended_at,
            "drop": alert.details.get("drop"),
            "target": alert.details.get("target"),
        }
    ).encode()


def _put_email(alert: Alert) -> None:
    """Write the alert's email into the outbox, in the caller's transaction."""
    first_line = alert.message.partition("\n")[0]
    lines = [line for line in alert.message.splitlines() if line.strip()]
    paragraphs = format_html_join("\n", "<p>{}</p>", ((line,) for line in lines))
    link = f"{settings.SHOP_ORIGIN}/admin/"
    outbox.put_email(
        kind="alert",
        about=f"alert:{alert.pk}",
        to=settings.OPS_MAIL,
        subject=f"{settings.SHOP_NAME}: {shorten(first_line, 100, placeholder=' …')}",
        text=f"{alert.message}\n\n{link}\n",
        html=format_html('{}<p><a href="{}">{}</a></p>', paragraphs, link, link),
    )
