"""The tick: beat's, or the command's. Safe at any time, twice at once, and after a crash anywhere.

move steps by drop and clock → lift what is over → look after each target → judge → plan what is due

A target is looked after under its lock (drops.scaling.control.target_lock): read, decide, commit what will be asked,
ask, commit how it went. The call comes after the commit and is absolute, under a key made from the commit: after a
crash before the call it is made again, after a crash behind it the target is read back.
"""

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When
from django.utils.translation import gettext as _

from drops.models import Drop
from drops.scaling.control import alerts, heartbeat, readiness, reconcile, scale_plans, steps, target_lock
from drops.scaling.models import ScalePlan, Step, Target

log = logging.getLogger(__name__)

STEADY_SECONDS = 15
STALE_TICKS = 40  # a target without a step is read again after so many, while a drop is to come
State = Step.State


def tick(*, who: str, dry_run: bool = False) -> list[str]:
    """Do what is due, by the database's clock; what was done, or in a dry run would be, one line each."""
    now, paused = begin(who=who, dry_run=dry_run)
    if not heartbeat.is_needed():
        return []
    lines = steps.advance(now=now, dry_run=dry_run)
    if not dry_run:
        alerts.resolve(subject=heartbeat.ABOUT)
        readiness.lift_over(now=now)
    looked_after = look_after_targets(who=who, now=now, paused=paused, dry_run=dry_run)
    lines += looked_after.lines
    if not dry_run:
        lines += readiness.judge_due(now=now, news=bool(lines) or looked_after.any)
        lines += scale_plans.plan_due(now=now)  # last: a plan that can't be reckoned keeps no target from its baseline
        for line in lines:
            log.info("%s", line)
    return lines


class LookedAfter(NamedTuple):
    """What was done with targets, and whether any was due."""

    lines: list[str]
    any: bool


def begin(*, who: str, dry_run: bool) -> tuple[datetime, bool]:
    """Give the time of the tick and whether pre-scaling is paused; leave the pulse, unless nothing may be written."""
    row = heartbeat.read() if dry_run else heartbeat.beat(who=who)
    now = row.ticked_at if row.ticked_at and not dry_run else heartbeat.database_now()
    return now, row.paused_at is not None


def look_after_targets(*, who: str, now: datetime, paused: bool, dry_run: bool) -> LookedAfter:
    """Look after each target in a turn of its own: the one not seen for longest first, those that don't answer last.

    After a tick's length no further one is begun, lest slow clouds keep workers from other tasks.
    """
    ends = heartbeat.database_now() + timedelta(seconds=settings.SCALING_TICK_SECONDS)
    lines: list[str] = []
    targets = list(due(now=now))
    for target in targets:
        if heartbeat.database_now() > ends:
            lines.append(_("The rest is left to the next tick: this one took long enough."))
            break
        if dry_run:
            lines += reconcile.would_do(target=target, now=now, paused=paused)
            continue
        mine = target_lock.acquire(target=target)
        if mine is None:
            lines.append(_("%(target)s: another tick works on it.") % {"target": target.name})
            continue
        try:
            lines += reconcile.reconcile(target=mine, who=who, now=now, paused=paused)
        except target_lock.LockLost:
            lines.append(_("%(target)s: another tick took over.") % {"target": target.name})
        # After any other exception the turn is kept until it ends, so that others are looked after meanwhile.
        target_lock.release(target=mine)
    return LookedAfter(lines, bool(targets))


def due(*, now: datetime) -> QuerySet[Target]:
    """Targets with a claim, with one that starts, or to be brought back; while a drop is to come, all now and then.

    One that stands and only has to be held is read every STEADY_SECONDS: a reading costs more than the rest of a tick.
    """
    own = Step.objects.filter(target=OuterRef("pk"))
    claims = own.filter(Q(state=State.PLANNED, starts_at__lte=now) | Q(state__in=(*Step.LEASES, State.RELEASING)))
    wanted = Q(Exists(claims)) | Q(baseline__isnull=False)
    if ScalePlan.objects.filter(drop__in=Drop.objects.not_ended()).exists():
        stale = now - timedelta(seconds=STALE_TICKS * settings.SCALING_TICK_SECONDS)
        wanted |= Q(enabled=True) & (Q(seen_at=None) | Q(seen_at__lt=stale))
    rested = Q(retry_at=None) | Q(retry_at__lte=now)
    moving = claims.exclude(state=State.HOLDING, ready_at__isnull=False)
    fresh = now - timedelta(seconds=max(0.0, STEADY_SECONDS - settings.SCALING_TICK_SECONDS))
    steady = Q(Exists(own.filter(state=State.HOLDING)), ~Q(Exists(moving)), failures=0, seen_at__gt=fresh)
    silent = Case(When(failures=0, then=0), default=1)  # may take its whole time-out, while the others wait
    rows = Target.objects.filter(wanted, rested).exclude(steady)
    return rows.order_by(silent, F("seen_at").asc(nulls_first=True), "pk")
