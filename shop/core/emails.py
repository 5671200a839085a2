"""The outbox's transport for emails: SMTP. Emails that stay unsent raise an alert."""

import re
import smtplib
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Count, Max, Q
from django.db.models.functions import Now
from django.template.defaultfilters import pluralize

from shop.core import alerts, outbox
from shop.core.models import Email

ALERT_SUBJECT = "emails unsent"
ALERT_TRIES = 10
ALERT_AFTER = timedelta(hours=1)
ADDRESS = re.compile(r"[^\s<>()\[\]{}'\",;:]+@[^\s<>()\[\]{}'\",;:]+")


def send_due(*, limit: int = 200) -> int:
    """Send the emails that are due, oldest first, and return how many were sent."""
    connection = get_connection()  # opened by the first email, closed after the last
    try:
        return outbox.send_due(Email, send=partial(send, connection=connection), limit=limit)
    finally:
        connection.close()


def send(email: Email, *, connection: BaseEmailBackend) -> None:
    """Send one email. Raises NotSent."""
    message = EmailMultiAlternatives(
        email.subject,
        email.text,
        settings.MAIL_FROM,
        [email.to],
        connection=connection,
        headers={"Message-ID": message_id(email)},
    )
    message.attach_alternative(email.html, "text/html")
    try:
        connection.open()
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        connection.close()  # it may be broken: the next email opens a new one
        raise outbox.NotSent(str(error)) from error


def message_id(email: Email) -> str:
    """Return a Message-ID made from the row alone, so that it is the same at each try."""
    domain = settings.MAIL_FROM.rpartition("@")[2].rstrip(">")
    return f"<{email.pk}@{domain}>"


def watch() -> int:
    """Raise an alert while emails stay unsent after many tries or for long; return how many do."""
    unsent = Email.objects.filter(sent_at=None)
    stuck = unsent.filter(Q(tries__gte=ALERT_TRIES) | Q(created_at__lt=Now() - ALERT_AFTER))
    found = stuck.aggregate(count=Count("pk"), last_error=Max("last_error"))
    count: int = found["count"]
    if not count:
        alerts.resolve(subject=ALERT_SUBJECT)
        return 0
    # Mail servers repeat the recipient, which not everybody who sees alerts may see.
    reason = (
        ADDRESS.sub("(an address)", found["last_error"] or "")
        or "no worker has tried; check the workers of the queue “mail”"
    )
    message = (
        f"{count} email{pluralize(count)} can't be sent: {reason}. "
        "Check EMAIL_URL and the mail server. They are tried again."
    )
    alerts.raise_alert(source="mail", subject=ALERT_SUBJECT, message=message)
    return count
