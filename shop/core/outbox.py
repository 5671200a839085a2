"""The outbox: mails are rows first. A worker claims what is due, sends it, and marks it sent.

A crash between sending and marking sends it twice, under the same Message-ID, by which mail programs know the repeat.
"""

import logging
import smtplib
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models.functions import Now
from django.utils import timezone

from shop.core.prepared import Insert, columns
from shop.models import Mail

log = logging.getLogger(__name__)

MAIL = Insert(Mail)
CLAIM = timedelta(seconds=60)  # how long one worker has for a batch
LONGEST_WAIT = timedelta(hours=1)


def put(*, kind: str, about: str, to: str, subject: str, text: str, html: str) -> None:
    """Promise a mail, in the caller's transaction. A second one of the same kind about the same thing is none."""
    MAIL.unless_there(kind=kind, about=about, to=to, subject=subject, text=text, html=html)


def send_due(*, most: int = 200) -> int:
    """Send what is due, oldest first; how many were sent."""
    mails = claim(most=most)
    if not mails:
        return 0
    connection = get_connection()
    sent = sum(send(mail, connection) for mail in mails)
    connection.close()
    return sent


def claim(*, most: int) -> list[Mail]:
    """Take due mails for a minute, so that a second worker passes them over."""
    return list(
        Mail.objects.raw(
            f"""
            UPDATE shop_mail SET due_at = statement_timestamp() + %s, tries = tries + 1 WHERE id IN (
                SELECT id FROM shop_mail WHERE sent_at IS NULL AND due_at <= statement_timestamp()
                ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED
            ) RETURNING {columns(Mail)}
            """,
            [CLAIM, most],
        )
    )


def send(mail: Mail, connection: BaseEmailBackend) -> bool:
    """Send one mail and mark it sent; after a failure, say what went wrong and when it is tried again."""
    message = EmailMultiAlternatives(
        mail.subject,
        mail.text,
        settings.MAIL_FROM,
        [mail.to],
        connection=connection,
        headers={"Message-ID": name(mail)},
    )
    message.attach_alternative(mail.html, "text/html")
    row = Mail.objects.filter(pk=mail.pk)
    try:
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        wait = min(timedelta(seconds=5 * 2 ** min(mail.tries, 10)), LONGEST_WAIT)
        row.update(fault=str(error), due_at=timezone.now() + wait)
        log.warning("mail %s to be tried again in %s: %s", mail, wait, error)
        return False
    row.update(sent_at=Now(), fault="")
    return True


def name(mail: Mail) -> str:
    """Make the Message-ID: of the row alone, so that it is the same at each try."""
    domain = settings.MAIL_FROM.rpartition("@")[2].rstrip(">")
    return f"<{mail.pk}@{domain}>"
