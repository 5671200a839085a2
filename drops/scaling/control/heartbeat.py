"""The pulse of pre-scaling: when the last tick was, by whom, and whether ops paused it. One row.

Beat can't tell of its own death, so another process, the gatekeeper, watches the pulse's age.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from drops import admission
from drops.models import Ceiling, Drop
from drops.scaling.control import alerts
from drops.scaling.models import Heartbeat, Step, Target
from shop.core.sql import columns

ABOUT = "pulse"
MISSED = 4  # ticks in a row, after which the pulse counts as lost


def beat(*, who: str) -> Heartbeat:
    """Write that a tick begins, by the database's clock; the row as it is then."""
    sql = f"""
        INSERT INTO scaling_heartbeat (id, ticked_at, who, paused_reason)
        VALUES (1, statement_timestamp(), %s, '')
        ON CONFLICT (id) DO UPDATE SET ticked_at = excluded.ticked_at, who = excluded.who RETURNING {columns(Heartbeat)}
    """
    return Heartbeat.objects.raw(sql, [who])[0]


def read() -> Heartbeat:
    """Read the row, or what it will be."""
    return Heartbeat.objects.first() or Heartbeat()


def database_now() -> datetime:
    """Tell the database's time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def set_paused(*, reason: str) -> bool:
    """Pause, unless it is paused; whether it was this call that did."""
    Heartbeat.objects.bulk_create([Heartbeat()], ignore_conflicts=True)
    return bool(Heartbeat.objects.filter(paused_at=None).update(paused_at=Now(), paused_reason=reason[:200]))


def set_resumed() -> bool:
    """End the pause; whether there was one."""
    return bool(Heartbeat.objects.filter(paused_at__isnull=False).update(paused_at=None, paused_reason=""))


def is_lost(*, now: datetime) -> bool:
    """Tell whether ticks have stopped: none came while several were due. Before the first one nothing is lost."""
    ticked_at = read().ticked_at
    return ticked_at is not None and now - ticked_at > timedelta(seconds=MISSED * settings.SCALING_TICK_SECONDS)


def watch() -> bool:
    """Alert if the ticks have stopped while something is to be scaled; whether they have. For another process."""
    now = database_now()
    if not is_lost(now=now) or not is_needed():
        alerts.resolve(subject=ABOUT)
        return False
    words = _(
        "Pre-scaling stands still: its last tick was at %(at)s UTC. Nothing grows and nothing is brought back. Look at "
        "beat and the background workers; until they run, do its ticks by hand: manage.py scale tick."
    ) % {"at": f"{read().ticked_at:%H:%M:%S}"}
    alerts.raise_alert(subject=ABOUT, message=words)
    return True


def is_needed() -> bool:
    """Tell whether a tick has anything to do. One query, so that idling costs nothing."""
    rows: list[QuerySet[Any]] = [
        Target.objects.filter(baseline__isnull=False),  # to be brought back
        Step.objects.exclude(state__in=Step.OVER),
        Drop.objects.announced().not_ended().filter(scale_plan__isnull=False),
        alerts.about_drops(),  # to be ended with its drop
        admission.ceilings().filter(drop=None, kind=Ceiling.Kind.READY_CAPACITY),
    ]
    with connection.cursor() as cursor:
        queries = [row.values("pk").query.sql_with_params() for row in rows]
        cursor.execute(
            " UNION ALL ".join(f"SELECT EXISTS ({sql})" for sql, _values in queries),
            [value for _sql, values in queries for value in values],
        )
        return any(found for (found,) in cursor.fetchall())
