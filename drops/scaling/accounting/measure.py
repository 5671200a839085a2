"""Measures the demand of each drop on each group, for the weights of the next one: rows of Demand.

while it runs    the most database connections and checkout slots in use at once                each tick
afterwards       requests, bytes and busiest second from the edge's log; CPU from the targets' readings
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Greatest, Now

from drops.models import Drop, Hold
from drops.scaling.accounting import access_log, costs
from drops.scaling.models import Call, Demand, Group, ScalePlan, Step, Target
from drops.scaling.planning import read_inputs

MAX_DROP_AGE = timedelta(days=2)  # older drops aren't measured any more
TRAILING_TIME = timedelta(minutes=2)  # after a drop's end, for its last orders and webhooks
READS_KEPT_FOR = timedelta(days=30)  # calls that change a target are kept for good
MAX_RESTORE_TIME = timedelta(minutes=10)  # how long a drop that is over waits for its steps to end


@dataclass(frozen=True)
class MeasuredPeriod:
    """From the opening of the lobby until shortly after the drop's end."""

    since: datetime
    until: datetime


def measure_due(*, now: datetime) -> list[str]:
    """Measure running drops, and those that are over and weren't measured yet.

    Return a line for each of the latter.
    """
    running = Drop.objects.announced().not_ended().filter(lobby_opens_at__lte=now)
    for drop in running:
        sample(drop=drop)
    lines = []
    for drop in unmeasured_drops(now=now):
        with measuring_lock() as acquired:
            # Another process may have measured the drop before we got the lock.
            if acquired and drop in unmeasured_drops(now=now):
                line = f"{drop.slug}: measured"
                problem = measure_drop(drop=drop, now=now)
                if problem:
                    line += f". {problem}"
                lines.append(line)
    return lines


@contextmanager
def measuring_lock() -> Iterator[bool]:
    """Acquire the lock on measuring, if it is free; whether it was.

    Reading the log may take a minute, and one process at a time does it. The lock ends with the connection.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('scaling measuring'))")
        acquired = bool(cursor.fetchone()[0])
    try:
        yield acquired
    finally:
        if acquired:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('scaling measuring'))")


def sample(*, drop: Drop) -> None:
    """Record the most database connections and checkout slots in use at once while the drop runs."""
    peaks = {
        Group.DATABASE: ("connections", read_inputs.database_connections().used),
        Group.CHECKOUT: ("slots", Hold.objects.busy().count()),
    }
    for group, (field, figure) in peaks.items():
        Demand.objects.get_or_create(drop=drop, group=group, defaults={"shoppers": shoppers_joined(drop)})
        Demand.objects.filter(drop=drop, group=group).update(
            shoppers=shoppers_joined(drop), measured_at=Now(), **{field: Greatest(field, figure)}
        )


def shoppers_joined(drop: Drop) -> int:
    """Return how many shoppers joined a drop's line."""
    return drop.checkpoint.joined if hasattr(drop, "checkpoint") else 0


def unmeasured_drops(*, now: datetime) -> Iterator[Drop]:
    """Return the unmeasured drops that ended lately and whose targets are back at their baseline."""
    rows = (
        Drop.objects.ended()
        .filter(sealed_at__isnull=False, lobby_opens_at__gt=now - MAX_DROP_AGE)
        .exclude(demands__group=Group.GATE)  # written only once a drop is over
        .select_related("checkpoint")
    )
    for drop in rows:
        if drop.ends_at is None or now < drop.ends_at + TRAILING_TIME:
            continue
        has_live_steps = Step.objects.filter(drop=drop).exclude(state__in=Step.OVER).exists()
        if not has_live_steps or now >= drop.ends_at + MAX_RESTORE_TIME:
            yield drop


def measure_drop(*, drop: Drop, now: datetime) -> str:
    """Write what each group used and what the drop cost.

    Return why the edge's log couldn't be used, or nothing.
    """
    ends_at = drop.ends_at or now
    period = MeasuredPeriod(drop.lobby_opens_at or ends_at, ends_at + TRAILING_TIME)
    problem, traffic = "", None
    try:
        traffic = access_log.read(path=log_path(), slug=drop.slug, since=period.since, until=period.until)
    except access_log.LogUnreadable as unreadable:
        problem = str(unreadable)
    cpu_seconds = cpu_seconds_by_group(period)
    with transaction.atomic():
        for group in Group.values:
            figures: dict[str, object] = {"cpu_seconds": cpu_seconds.get(group)}
            if traffic is not None:
                figures |= figures_from_log(group, traffic)
            Demand.objects.update_or_create(
                drop=drop, group=group, defaults={"shoppers": shoppers_joined(drop), **figures}
            )
        Call.objects.filter(operation="read", at__lt=now - READS_KEPT_FOR).delete()
        cost = costs.calculate(drop=drop, traffic=traffic, now=now)
        ScalePlan.objects.filter(drop=drop).update(cost=cost.as_json())
    return problem


def log_path() -> Path:
    """Return the path of the edge's access log. Raises access_log.LogUnreadable if it writes none."""
    if not settings.EDGE_ACCESS_LOG:
        raise access_log.LogUnreadable("The edge writes no access log here: set EDGE_ACCESS_LOG.")
    return Path(settings.RUN_DIR or ".", "edge", settings.EDGE_ACCESS_LOG)


def figures_from_log(group: str, traffic: access_log.DropTraffic) -> dict[str, int | float]:
    """Return what the log says about a group.

    Workers are counted by the requests that lead to their tasks.
    """
    if group in {Group.CHECKOUT, Group.CAPTURE}:
        requests = traffic.payments
        if group == Group.CAPTURE:
            requests = traffic.groups["hooks"].requests
        if not requests:
            return {}
        return {"requests": requests}
    counted = traffic.groups.get(group)
    if counted is None or not counted.requests:
        return {}
    return {"requests": counted.requests, "peak_per_second": float(counted.peak), "bytes": counted.sent_bytes}


def cpu_seconds_by_group(period: MeasuredPeriod) -> dict[str, float]:
    """Return the CPU seconds of each group, from the targets that carry one group alone, and all of it."""
    used: dict[str, float] = {}
    for target in Target.objects.prefetch_related("shares"):
        shares = list(target.shares.all())
        if len(shares) != 1 or shares[0].percent != 100:
            continue
        seconds = cpu_seconds_of(target, period)
        if seconds:
            used[shares[0].group] = used.get(shares[0].group, 0.0) + seconds
    return used


def cpu_seconds_of(target: Target, period: MeasuredPeriod) -> float:
    """Return the CPU seconds that a target used.

    Its counter only grows, until a process ends and it starts again.
    """
    reads = Call.objects.filter(
        target=target, operation="read", at__gte=period.since, at__lte=period.until, error=""
    ).order_by("at")
    total, last = 0.0, None
    for after in reads.values_list("after", flat=True):
        seconds = (after or {}).get("cpu_seconds")
        if seconds is None:
            continue
        if last is not None:
            total += max(0.0, seconds - last)
        last = seconds
    return total
