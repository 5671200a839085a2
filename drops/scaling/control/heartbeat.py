"""The heartbeat of pre-scaling: one row with the time of the last tick, and whether ops paused it."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models.functions import Now

from drops import admission
from drops.models import Ceiling, Drop
from drops.scaling.control import alerts
from drops.scaling.models import Heartbeat, Step, Target

ALERT_SUBJECT = "heartbeat"
MAX_MISSED_TICKS = 4


def record_tick(*, actor: str) -> None:
    """Record that a tick begins, by the database's clock."""
    if not Heartbeat.objects.update(ticked_at=Now(), actor=actor):
        # The very first tick: there is no row yet. If another one inserts it now, that will do.
        Heartbeat.objects.bulk_create([Heartbeat(ticked_at=Now(), actor=actor)], ignore_conflicts=True)


def current() -> Heartbeat:
    """Return the row, or an unsaved one if nothing has been recorded yet."""
    return Heartbeat.objects.first() or Heartbeat()


def database_now() -> datetime:
    """Return the database's current time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def is_overdue(*, now: datetime) -> bool:
    """Whether ticks have stopped: several in a row are missing. Before the first tick, nothing is overdue."""
    ticked_at = current().ticked_at
    return ticked_at is not None and now - ticked_at > max_age()


def max_age() -> timedelta:
    """Return the age from which the last tick is overdue."""
    return timedelta(seconds=MAX_MISSED_TICKS * settings.SCALING_TICK_SECONDS)


def alert_if_overdue() -> bool:
    """Alert ops if ticks have stopped although there is work to do; whether they have.

    Called from another process than the one that ticks.
    """
    if not is_overdue(now=database_now()) or not has_work():
        alerts.resolve(subject=ALERT_SUBJECT)
        return False
    last_tick = f"{current().ticked_at:%H:%M:%S}"
    message = (
        f"Pre-scaling has stopped. Last tick: {last_tick} UTC. No target is scaled up or brought back. "
        "Check beat and the background workers; meanwhile run `manage.py scale tick`."
    )
    alerts.raise_alert(subject=ALERT_SUBJECT, message=message)
    return True


def has_work() -> bool:
    """Whether a tick has anything to do. One query, so that an idle shop costs next to nothing."""
    scaled_targets = Target.objects.filter(baseline__isnull=False)
    live_steps = Step.objects.exclude(state__in=Step.OVER)
    planned_drops = Drop.objects.announced().not_ended().filter(scale_plan__isnull=False)
    drop_alerts = alerts.about_drops()  # to be resolved when their drop ends
    limits = admission.ceilings().filter(drop=None, kind=Ceiling.Kind.READY_CAPACITY)
    return scaled_targets.union(live_steps, planned_drops, drop_alerts, limits, all=True).exists()
