"""The moves of a step, each one guarded UPDATE that names the state it moves from, and what ops may do to them.

planned ─▶ requested ─▶ converging ─▶ ready ─────▶ holding ─▶ releasing ─▶ restored
   │            │            └──────▶ degraded ───────▲
   └────────────┴─────────▶ abandoned

requested   committed together with what is then asked of its target
converging  the call was accepted
ready       read back; it may be so again after a plan raised it, which makes it requested
degraded    the go / no-go came first; it becomes ready when it is there after all
holding     the lobby is open; nothing falls any more
releasing   the drop is over, or moved, or ops said so: its claim has ended
restored    its target was read back without its claim

A drop that moved makes a step planned again that was over.
"""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils.translation import gettext as _

from drops import lifecycle
from drops.lifecycle import Phase
from drops.models import Drop
from drops.scaling.control import alerts, heartbeat
from drops.scaling.models import Step, Target
from shop.core import audit_log

State = Step.State
STAMPS = {
    State.REQUESTED: "requested_at",
    State.READY: "ready_at",
    State.HOLDING: "holding_at",
    State.RELEASING: "released_at",
    State.RESTORED: "ended_at",
    State.ABANDONED: "ended_at",
}
LIVE = tuple(state for state in State if state not in Step.OVER)


class StepRefused(Exception):
    """An act that can't be done now. Nothing was changed; the text says what to do instead."""


def live(*, target: Target | None = None) -> QuerySet[Step]:
    """Steps that are not over, with their targets, drops and what was agreed for those."""
    rows = Step.objects.filter(state__in=LIVE).select_related("drop__scale_plan", "target")
    return rows if target is None else rows.filter(target=target)


def move(*, step: Step, to: State, message: str = "") -> bool:
    """Move a step on from the state that it was read in; whether it was there still."""
    stamp = STAMPS.get(to)
    stamps = {stamp: Coalesce(F(stamp), Now())} if stamp else {}
    moved = Step.objects.filter(pk=step.pk, state=step.state).update(state=to, message=message[:300], **stamps)
    if moved:
        step.state, step.message = to, message
    return bool(moved)


def say(*, step: Step, message: str) -> None:
    """Write what ops should know of a step."""
    if step.message != message:
        Step.objects.filter(pk=step.pk, state=step.state).update(message=message[:300])
        step.message = message


def next_state(*, step: Step, phase: Phase, now: datetime) -> State | None:
    """Tell where the drop and the clock alone move a step; None: nowhere. Pure."""
    if step.state == State.RELEASING or step.state in Step.OVER:
        return None
    if phase in lifecycle.ENDED_PHASES:
        return State.ABANDONED if step.state == State.PLANNED else State.RELEASING
    opens = step.drop.lobby_opens_at
    if step.state in {State.READY, State.DEGRADED} and opens and opens <= now:
        return State.HOLDING
    if step.state in {State.REQUESTED, State.CONVERGING} and step.needed_at <= now:
        return State.DEGRADED
    return None


def advance(*, now: datetime, dry_run: bool = False) -> list[str]:
    """Move every live step as far as its drop and the clock do; what was moved, in words."""
    rows = list(live())
    drops = Drop.objects.with_state().in_bulk({row.drop_id for row in rows})
    phases = {pk: lifecycle.phase(drop=drop, now=now) for pk, drop in drops.items()}
    return [line for row in rows for line in advance_one(step=row, phase=phases[row.drop_id], now=now, dry_run=dry_run)]


def advance_one(*, step: Step, phase: Phase, now: datetime, dry_run: bool) -> Iterable[str]:
    """Move one step until it stays."""
    while to := next_state(step=step, phase=phase, now=now):
        message = _("It was not ready at the go / no-go.") if to == State.DEGRADED else step.message
        line = f"{step.drop.slug}: {step.target.name} {step.state} → {to}"
        if dry_run:
            step.state = to
        elif not move(step=step, to=to, message="" if to in Step.OVER else message):
            return
        yield line


def restore_now(*, target: Target, who: AbstractBaseUser | None) -> None:
    """End every claim on a target, so that the next tick brings it back to its baseline, drift or not.

    Raises Refused if there is nothing to bring back.
    """
    with transaction.atomic():
        row = Target.objects.select_for_update().get(pk=target.pk)
        claims = Step.objects.filter(target=row)
        if row.baseline is None and not claims.filter(state__in=LIVE).exists():
            raise StepRefused(
                _("%(target)s stands at its baseline: there is nothing to restore.") % {"target": row.name}
            )
        words = _("Ops restored its target.")
        claims.filter(state=State.PLANNED).update(state=State.ABANDONED, ended_at=Now(), message=words)
        claims.filter(state__in=Step.LEASES).update(state=State.RELEASING, released_at=Now(), message=words)
        go_on(target=row)
        audit_log.write(
            who=who,
            about=about(target=row),
            action="restore now",
            before={"asked": row.asked_size},
            after={"baseline": row.baseline_size},
        )


def resume_target(*, target: Target, who: AbstractBaseUser | None) -> None:
    """Go on with a target that was stopped by drift or put off after refusals, from however it stands now.

    Raises Refused if it goes on already.
    """
    with transaction.atomic():
        row = Target.objects.select_for_update().get(pk=target.pk)
        if row.stopped_at is None and not row.failures:
            raise StepRefused(_("%(target)s is not stopped.") % {"target": row.name})
        go_on(target=row)
        audit_log.write(
            who=who,
            about=about(target=row),
            action="take up",
            before={"stopped": row.stopped_reason, "fault": row.fault},
        )


def abandon(*, target: Target, who: AbstractBaseUser | None) -> None:
    """Leave a stopped target as somebody else set it: its baseline is forgotten, and every step on it ends.

    Raises Refused if it is not stopped.
    """
    with transaction.atomic():
        row = Target.objects.select_for_update().get(pk=target.pk)
        if row.stopped_at is None:
            raise StepRefused(
                _("%(target)s is not stopped. Use “restore now” to bring it back.") % {"target": row.name}
            )
        words = _("Ops left its target as somebody else had set it.")
        live(target=row).filter(state__in=[State.PLANNED, State.REQUESTED]).update(
            state=State.ABANDONED, ended_at=Now(), message=words
        )
        live(target=row).update(
            state=State.RESTORED, released_at=Coalesce(F("released_at"), Now()), ended_at=Now(), message=words
        )
        before = {"baseline": row.baseline_size, "stopped": row.stopped_reason}
        Target.objects.filter(pk=row.pk).update(**FORGOTTEN, **GOING, busy_until=None)
        alerts.resolve(subject=f"{about_alert(target=row)} drift")
        audit_log.write(who=who, about=about(target=row), action="let go", before=before)


FORGOTTEN = dict.fromkeys(("baseline", "baseline_size", "asked", "asked_size", "asked_at", "before"))
GOING = {"stopped_at": None, "stopped_reason": "", "failures": 0, "retry_at": None, "fault": ""}


def go_on(*, target: Target) -> None:
    """Clear what stops or delays a target; as it was seen last counts as ours until the next READY."""
    seen = (target.seen or {}).get("state")
    before = [*(target.before or []), *([seen] if seen is not None and target.asked is not None else [])]
    reasons = [reason for reason in (target.stopped_reason, target.fault) if reason]
    live(target=target).filter(message__in=reasons).update(message="")  # steps said why they waited
    Target.objects.filter(pk=target.pk).update(**GOING, before=before or None, busy_until=None)
    for subject in ("drift", "fault"):
        alerts.resolve(subject=f"{about_alert(target=target)} {subject}")


def pause(*, who: AbstractBaseUser | None, reason: str) -> None:
    """Pause pre-scaling: nothing new is asked of any target, what stands stays. Does nothing if it is paused."""
    with transaction.atomic():
        if heartbeat.set_paused(reason=reason):
            audit_log.write(who=who, about="scaling:all", action="paused", after={"reason": reason})
            words = _(
                "Pre-scaling is paused: %(reason)s. Nothing grows and nothing is brought back until it is resumed."
            ) % {"reason": reason}
            alerts.raise_alert(subject="paused", message=words)


def resume(*, who: AbstractBaseUser | None) -> None:
    """Let pre-scaling go on. Does nothing if it does."""
    with transaction.atomic():
        if heartbeat.set_resumed():
            audit_log.write(who=who, about="scaling:all", action="resumed")
            alerts.resolve(subject="paused")


def about(*, target: Target) -> str:
    """Name a target in the journal."""
    return f"target:{target.name}"[:80]


def about_alert(*, target: Target) -> str:
    """Name a target in alerts."""
    return f"target:{target.pk}"
