"""Measures what a drop demanded of each group, for the weights of the next one: rows of Demand.

while it runs    connections to the database and slots of the checkout, the most at one time     each tick
afterwards       requests, bytes and busiest seconds from the edge's log; CPU from the readings of targets
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Greatest, Now

from drops.models import Drop, Hold
from drops.scaling.accounting import access_log, costs
from drops.scaling.models import Call, Demand, Group, ScalePlan, Step, Target

MOST_BACK = timedelta(days=2)  # older drops are not measured any more
AFTER = timedelta(minutes=2)  # so long after its end a drop still counts: the last orders and webhooks
READS_KEPT = timedelta(days=30)  # what was asked of targets is kept for good, what was only read is not
ORPHAN = timedelta(minutes=10)  # so long a drop that is over waits for its steps to be restored


@dataclass(frozen=True)
class Span:
    """From the opening of the lobby until shortly after the end."""

    since: datetime
    until: datetime


def measure_due(*, now: datetime) -> list[str]:
    """Measure the drops that run and those that are over and were not measured yet; what was done, in words."""
    running = Drop.objects.announced().not_ended().filter(lobby_opens_at__lte=now)
    for drop in running:
        sample(drop=drop)
    lines = []
    for drop in over_and_not_measured(now=now):
        with alone() as mine:
            if mine and drop in over_and_not_measured(now=now):
                words = measure(drop=drop, now=now)
                lines.append(f"{drop.slug}: measured{'; ' + words if words else ''}")
    return lines


@contextmanager
def alone() -> Iterator[bool]:
    """Let one tick at a time read the log, which may take a minute; whether it is ours. Ends with the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext('scaling measuring'))")
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext('scaling measuring'))")


def sample(*, drop: Drop) -> None:
    """Keep the most connections and slots that were ever seen at once while the drop runs."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        connections = int(cursor.fetchone()[0])
    busy = Hold.objects.busy().count()
    most = {Group.DATABASE: ("connections", connections), Group.CHECKOUT: ("slots", busy)}
    for group, (field, figure) in most.items():
        Demand.objects.get_or_create(drop=drop, group=group, defaults={"shoppers": joined(drop)})
        Demand.objects.filter(drop=drop, group=group).update(
            shoppers=joined(drop), measured_at=Now(), **{field: Greatest(field, figure)}
        )


def joined(drop: Drop) -> int:
    """Tell how many joined a drop's line."""
    return drop.checkpoint.joined if hasattr(drop, "checkpoint") else 0


def over_and_not_measured(*, now: datetime) -> Iterator[Drop]:
    """Give the drops that were over not long ago, whose fleet is back, and of which the gate was not measured."""
    rows = (
        Drop.objects.ended()
        .filter(sealed_at__isnull=False, lobby_opens_at__gt=now - MOST_BACK)
        .exclude(demands__group=Group.GATE)
        .select_related("checkpoint")
    )
    for drop in rows:
        ends = drop.ends_at
        moving = Step.objects.filter(drop=drop).exclude(state__in=Step.OVER).exists()
        if ends and ends + AFTER <= now and (not moving or ends + ORPHAN <= now):
            yield drop


def measure(*, drop: Drop, now: datetime) -> str:
    """Write what each group used, and what the drop cost; a sentence if the edge's log could not tell."""
    ends = drop.ends_at or now
    span = Span(drop.lobby_opens_at or ends, ends + AFTER)
    words, seen = "", None
    try:
        seen = access_log.read(path=log_path(), slug=drop.slug, since=span.since, until=span.until)
    except access_log.Unreadable as unreadable:
        words = str(unreadable)
    used = cpu_of_groups(span)
    with transaction.atomic():
        for group in Group.values:
            figures = {"cpu_seconds": used.get(group), **(from_the_log(group, seen) if seen else {})}
            Demand.objects.update_or_create(drop=drop, group=group, defaults={"shoppers": joined(drop), **figures})
        Call.objects.filter(operation="read", at__lt=now - READS_KEPT).delete()
        ScalePlan.objects.filter(drop=drop).update(cost=costs.measure(drop=drop, seen=seen, now=now).as_json())
    return words


def log_path() -> Path:
    """Tell where the edge writes its log. Raises: edge_log.Unreadable."""
    if not settings.EDGE_ACCESS_LOG:
        raise access_log.Unreadable("The edge keeps no log here: set EDGE_ACCESS_LOG.")
    return Path(settings.RUN_DIR or ".", "edge", settings.EDGE_ACCESS_LOG)


def from_the_log(group: str, seen: access_log.Seen) -> dict[str, int | float]:
    """Give what the log says of a group. A worker's group is counted by what hands it its tasks."""
    if group == Group.CHECKOUT:
        return {"requests": seen.pays} if seen.pays else {}
    if group == Group.CAPTURE:
        return {"requests": seen.groups["hooks"].requests} if seen.groups["hooks"].requests else {}
    counted = seen.groups.get(group)
    if counted is None or not counted.requests:
        return {}
    return {"requests": counted.requests, "peak_per_second": float(counted.peak), "bytes": counted.size}


def cpu_of_groups(span: Span) -> dict[str, float]:
    """Add up the CPU seconds that targets of a single group used, from one reading to the next."""
    used: dict[str, float] = {}
    for target in Target.objects.prefetch_related("shares"):
        shares = list(target.shares.all())
        if len(shares) == 1 and shares[0].percent == 100:
            seconds = cpu_of(target, span)
            if seconds:
                used[shares[0].group] = used.get(shares[0].group, 0.0) + seconds
    return used


def cpu_of(target: Target, span: Span) -> float:
    """Add up what a target used: readings only grow, unless a process ended, and then counting begins anew."""
    reads = Call.objects.filter(Q(operation="read"), target=target, at__gte=span.since, at__lte=span.until, error="")
    total, last = 0.0, None
    for after in reads.order_by("at").values_list("after", flat=True):
        seconds = (after or {}).get("cpu_seconds")
        if seconds is not None:
            total += max(0.0, seconds - last) if last is not None else 0.0
            last = seconds
    return total
