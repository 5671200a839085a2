"""One tick of pre-scaling, run by beat or by `manage.py scale tick`.

Safe at any time, twice at once, and after a crash at any point:

advance steps by drop and clock → lift limits that ended → reconcile each target → go / no-go → plan again

A target is reconciled under its lock (drops.scaling.control.target_lock): read, decide, commit the desired
state, apply it, commit the outcome. The call comes after the commit and is absolute, with a key made from the
commit. After a crash before the call, the call is made again; after a crash behind it, the target is read
back.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, When

from drops.models import Drop
from drops.scaling.control import alerts, heartbeat, readiness, reconcile, scale_plans, steps, target_lock
from drops.scaling.models import ScalePlan, Step, Target

log = logging.getLogger(__name__)

HOLDING_SECONDS = 15  # between two readings of a target that is only held, as readings are expensive
STALE_TICKS = 40  # after which a target without a step is read again, while a drop is coming up
State = Step.State


def run_once(*, actor: str, dry_run: bool = False) -> list[str]:
    """Do what is due, by the database's clock.

    Return a line for each thing done; in a dry run, to be done.
    """
    if not dry_run:
        heartbeat.record_tick(actor=actor)
    if not heartbeat.has_work():
        return []
    row = heartbeat.current()
    now, paused = row.ticked_at, row.paused_at is not None
    if dry_run or now is None:  # a dry run records no tick
        now = heartbeat.database_now()
    lines = steps.advance(now=now, dry_run=dry_run)
    if not dry_run:
        alerts.resolve(subject=heartbeat.ALERT_SUBJECT)
        plans = readiness.due_plans(now=now)
        readiness.end_limits(plans=plans)
    targets = list(due_targets(now=now))
    lines += reconcile_targets(targets, actor=actor, now=now, paused=paused, dry_run=dry_run)
    if not dry_run:
        lines += readiness.check_due(plans=plans, now=now, is_news=bool(lines or targets))
        # Planning comes last: no error in it may keep a target from its baseline.
        lines += scale_plans.plan_due(now=now)
        for line in lines:
            log.info("%s", line)
    return lines


def reconcile_targets(
    targets: list[Target],
    *,
    actor: str,
    now: datetime,
    paused: bool,
    dry_run: bool,
) -> list[str]:
    """Reconcile the targets one by one, each under its lock.

    The tick has a time limit, so that a slow cloud API can't monopolise workers.
    """
    ends_at = heartbeat.database_now() + timedelta(seconds=settings.SCALING_TICK_SECONDS)
    lines: list[str] = []
    for target in targets:
        if heartbeat.database_now() > ends_at:
            lines.append("Tick time limit reached; the remaining targets are deferred to the next tick.")
            break
        if dry_run:
            lines += reconcile.preview(target=target, now=now, paused=paused)
            continue
        locked = target_lock.acquire(target=target)
        if locked is None:
            lines.append(f"{target.name}: another tick is working on it.")
            continue
        try:
            lines += reconcile.run(target=locked, actor=actor, now=now, paused=paused)
        except target_lock.LockLost:
            lines.append(f"{target.name}: another tick took over.")
        # Not in a `finally`: after any other exception the lock stays until it expires, so that the next
        # ticks skip the broken target and reach the others.
        target_lock.release(target=locked)
    return lines


def due_targets(*, now: datetime) -> QuerySet[Target]:
    """Targets to reconcile: the one read longest ago first, those that don't answer last.

    Those with a lease, with a step that starts, or away from their baseline are due; while a drop is coming
    up, all of them now and then.
    """
    own_steps = Step.objects.filter(target=OuterRef("pk"))
    is_starting = Q(state=State.PLANNED, starts_at__lte=now)
    active = own_steps.filter(is_starting | Q(state__in=(*Step.LEASES, State.RELEASING)))
    is_due = Q(Exists(active)) | Q(baseline__isnull=False)
    if ScalePlan.objects.filter(drop__in=Drop.objects.not_ended()).exists():
        stale = now - timedelta(seconds=STALE_TICKS * settings.SCALING_TICK_SECONDS)
        is_due |= Q(enabled=True) & (Q(observed_at=None) | Q(observed_at__lt=stale))
    may_retry = Q(retry_at=None) | Q(retry_at__lte=now)
    # A target that is ready, only held, and was read just now can wait.
    moving = active.exclude(state=State.HOLDING, ready_at__isnull=False)
    fresh = now - timedelta(seconds=max(0.0, HOLDING_SECONDS - settings.SCALING_TICK_SECONDS))
    holding = own_steps.filter(state=State.HOLDING)
    is_only_held = Q(Exists(holding), ~Q(Exists(moving)), failures=0, observed_at__gt=fresh)
    # A silent one may take its whole time-out while the others wait.
    is_silent = Case(When(failures=0, then=0), default=1)
    rows = Target.objects.filter(is_due, may_retry).exclude(is_only_held)
    return rows.order_by(is_silent, F("observed_at").asc(nulls_first=True), "pk")
