"""Pausing pre-scaling as a whole: while it is paused, no target is changed in either direction."""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models.functions import Now

from drops.scaling.control import alerts
from drops.scaling.models import Heartbeat
from shop.core import audit_log

SUBJECT = "scaling:all"  # in the audit log
ALERT_SUBJECT = "paused"


def pause(*, actor: AbstractBaseUser | None, reason: str) -> None:
    """Pause pre-scaling: targets keep their sizes. Does nothing if it is paused already."""
    with transaction.atomic():
        Heartbeat.objects.bulk_create([Heartbeat()], ignore_conflicts=True)
        # The guarded UPDATE decides which of two simultaneous calls pauses.
        if not Heartbeat.objects.filter(paused_at=None).update(paused_at=Now(), paused_reason=reason[:200]):
            return
        audit_log.write(actor=actor, about=SUBJECT, action="paused", after={"reason": reason})
        message = (
            f"Pre-scaling is paused: {reason}. Until it is resumed, no target is scaled up or brought back."
        )
        alerts.raise_alert(subject=ALERT_SUBJECT, message=message)


def resume(*, actor: AbstractBaseUser | None) -> None:
    """Resume pre-scaling. Does nothing if it isn't paused."""
    with transaction.atomic():
        if Heartbeat.objects.filter(paused_at__isnull=False).update(paused_at=None, paused_reason=""):
            audit_log.write(actor=actor, about=SUBJECT, action="resumed")
            alerts.resolve(subject=ALERT_SUBJECT)
