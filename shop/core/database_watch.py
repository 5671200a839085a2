"""Whether the database takes writes, and the alert if it doesn't.

That alert can't be stored, so it is sent at once, by email and webhook. Each gatekeeper sends its own.
"""

import logging
import smtplib
import uuid

from django.conf import settings
from django.core.mail import send_mail
from django.db import Error
from django.utils import timezone

from shop.core import alerts, database, outbound
from shop.core.models import Alert, ClockReading

log = logging.getLogger(__name__)

CHECKS_BEFORE_ALERT = 2  # in a row: a restart or a failover takes less
MESSAGE = (
    "The database takes no writes ({error}). Nothing is sold, and nobody is let in; places are kept. Check the "
    "server: its disk, and whether it has become a standby. Sales resume by themselves."
)


def check_write() -> None:
    """Write, without changing or locking a row: a server that is read-only refuses it. Raises Error."""
    # One connection that has been idle may be dead, without harm: the next one counts.
    database.try_twice(lambda: ClockReading.objects.filter(machine="").update(skew_seconds=0))


class Watch:
    """Checks of one process. An outage is alerted once."""

    def __init__(self) -> None:
        self.failed = 0  # checks in a row

    def check(self) -> bool:
        """Check once; return whether the database takes writes."""
        try:
            check_write()
        except Error as error:
            self.failed += 1
            log.warning("The database takes no writes: %s", error)
            if self.failed == CHECKS_BEFORE_ALERT:
                send_at_once(message=MESSAGE.format(error=type(error).__name__))
            return False
        self.failed = 0
        return True


def send_at_once(*, message: str) -> None:
    """Send an alert without storing it. What can't be sent is logged."""
    if settings.OPS_MAIL:
        subject = f"{settings.SHOP_NAME}: the database takes no writes"
        try:
            send_mail(subject, f"{message}\n", settings.MAIL_FROM, [settings.OPS_MAIL])
        except (OSError, smtplib.SMTPException):
            log.exception("The alert about the database can't be sent by email")
    if settings.OPS_WEBHOOK_URL:
        alert = Alert(source="database", subject="database", message=message, created_at=timezone.now())
        try:
            outbound.post(
                url=settings.OPS_WEBHOOK_URL,
                body=alerts.webhook_body(alert),
                secret=settings.OPS_WEBHOOK_SECRET,
                key=f"alert-{uuid.uuid4()}",
                seconds=alerts.WEBHOOK_SECONDS,
            )
        except outbound.OutboundError:
            log.exception("The alert about the database can't be posted")
