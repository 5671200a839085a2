"""Alerts: what ops must know. One open alert per subject, told once by mail and once by signed webhook.

The mail is a row of the outbox, written with the alert; the webhook is sent from the alert's own row.
"""

import json
from datetime import timedelta
from functools import partial
from textwrap import shorten

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.html import format_html, linebreaks
from django.utils.translation import gettext as _

from drops.models import Drop
from drops.models.drop import DropQuerySet
from drops.scaling.models import Alert, Target
from shop.core import outbound, outbox
from shop.core.prepared import columns

CLAIM = timedelta(seconds=60)  # how long one worker has for a batch
LONGEST_WAIT = timedelta(minutes=10)
SECONDS = 5.0  # for one webhook, all in all
TRIES = 50


def raise_(*, about: str, words: str, drop: Drop | None = None, target: Target | None = None) -> Alert:
    """Open the alert, with its mail, or bring the words of the one that is open up to date."""
    with transaction.atomic():
        alert, new = Alert.objects.get_or_create(
            about=about[:120], ended_at=None, defaults={"words": words, "drop": drop, "target": target}
        )
        if new and settings.OPS_MAIL:
            put_mail(alert=alert)
    if not new and alert.words != words:
        Alert.objects.filter(pk=alert.pk).update(words=words)
    return alert


def end(*, about: str) -> bool:
    """End the open alert of that subject; whether there was one."""
    return bool(Alert.objects.filter(about=about[:120], ended_at=None).update(ended_at=Now()))


def end_of_drops(*, drops: DropQuerySet) -> int:
    """End the alerts about drops; how many."""
    return Alert.objects.filter(drop__in=drops, ended_at=None).update(ended_at=Now())


def put_mail(*, alert: Alert) -> None:
    """Put the alert into the outbox, in the caller's transaction."""
    first = alert.words.partition("\n")[0]
    subject = _("%(shop)s: %(about)s") % {"shop": settings.SHOP_NAME, "about": shorten(first, 100, placeholder=" …")}
    link = f"{settings.SHOP_ORIGIN}/admin/"
    outbox.put(
        kind="alert",
        about=f"alert:{alert.pk}",
        to=settings.OPS_MAIL,
        subject=subject,
        text=f"{alert.words}\n\n{link}\n",
        html=format_html('{}<p><a href="{}">{}</a></p>', linebreaks(alert.words, autoescape=True), link, link),
    )


def send_due(*, most: int = 20) -> int:
    """Tell the webhook what it has not been told yet, oldest first; how many were told."""
    if not settings.OPS_WEBHOOK_URL:
        return 0
    return sum(send(alert=alert) for alert in claim(most=most))


def claim(*, most: int) -> list[Alert]:
    """Take due alerts for a minute, so that a second worker passes them over."""
    return list(
        Alert.objects.raw(
            f"""
            UPDATE scaling_alert SET due_at = statement_timestamp() + %s, tries = tries + 1 WHERE id IN (
                SELECT id FROM scaling_alert WHERE told_at IS NULL AND due_at <= statement_timestamp() AND tries < %s
                ORDER BY due_at, id LIMIT %s FOR UPDATE SKIP LOCKED
            ) RETURNING {columns(Alert)}
            """,
            [CLAIM, TRIES, most],
        )
    )


def send(*, alert: Alert) -> bool:
    """Tell of one alert and mark it told; after a failure, say what went wrong and when it is tried again."""
    row = Alert.objects.filter(pk=alert.pk)
    again = partial(row.update, due_at=Now() + min(timedelta(seconds=5 * 2 ** min(alert.tries, 10)), LONGEST_WAIT))
    try:
        answer = outbound.post(
            url=settings.OPS_WEBHOOK_URL,
            body=body(alert=alert),
            secret=settings.OPS_WEBHOOK_SECRET,
            key=f"alert-{alert.pk}",
            seconds=SECONDS,
        )
    except outbound.Failed as fault:
        again(fault=str(fault)[:300])
        return False
    if not 200 <= answer.status < 300:
        again(fault=_("It answered %(status)s.") % {"status": answer.status})
        return False
    row.update(told_at=Now(), fault="")
    return True


def body(*, alert: Alert) -> bytes:
    """Write what the webhook is told."""
    return json.dumps(
        {
            "type": "scaling.alert",
            "id": alert.pk,
            "about": alert.about,
            "words": alert.words,
            "at": alert.at.isoformat(),
            "ended_at": alert.ended_at.isoformat() if alert.ended_at else None,
            "drop": alert.drop.slug if alert.drop else None,
            "target": alert.target.name if alert.target else None,
        }
    ).encode()
