"""The transitions of a step. Each is one guarded UPDATE that names the state it starts from.

planned ─▶ requested ─▶ converging ─▶ ready ─────▶ holding ─▶ releasing ─▶ restored
   │            │            └──────▶ degraded ───────▲
   └────────────┴─────────▶ abandoned

requested   committed, together with the desired state of its target
converging  the provider accepted the call
ready       read back at the desired size; if a plan then raises the size, the step is requested again
degraded    not ready at the go / no-go; it becomes ready as soon as it is read back
holding     the lobby is open; from now on nothing is scaled down
releasing   the lease ended: the drop is over or was postponed, or ops restored the target
restored    the target was read back without the lease

If a drop is postponed, a step that was over is planned again.
"""

from collections.abc import Iterator
from datetime import datetime

from django.db.models import F, QuerySet
from django.db.models.functions import Coalesce, Now

from drops import lifecycle
from drops.lifecycle import Phase
from drops.models import Drop
from drops.scaling.models import Step, Target

State = Step.State
TIMESTAMP_FIELDS = {
    State.REQUESTED: "requested_at",
    State.READY: "ready_at",
    State.HOLDING: "holding_at",
    State.RELEASING: "released_at",
    State.RESTORED: "ended_at",
    State.ABANDONED: "ended_at",
}
LIVE_STATES = tuple(state for state in State if state not in Step.OVER)


def live(*, target: Target | None = None) -> QuerySet[Step]:
    """Steps that aren't over, with their targets, drops and approvals."""
    rows = Step.objects.filter(state__in=LIVE_STATES).select_related("drop__scale_plan", "target")
    if target is None:
        return rows
    return rows.filter(target=target)


def move(*, step: Step, to: State, message: str = "") -> bool:
    """Move a step on from the state in which it was read; whether it was still in that state."""
    changes: dict[str, object] = {"state": to, "message": message[:300]}
    timestamp = TIMESTAMP_FIELDS.get(to)
    if timestamp:
        # A step may reach a state twice; the first time counts.
        changes[timestamp] = Coalesce(F(timestamp), Now())
    moved = Step.objects.filter(pk=step.pk, state=step.state).update(**changes)
    if moved:
        step.state, step.message = to, message
    return bool(moved)


def set_message(*, step: Step, message: str) -> None:
    """Store what ops should know about a step."""
    if step.message != message:
        Step.objects.filter(pk=step.pk, state=step.state).update(message=message[:300])
        step.message = message


def transition_line(*, step: Step, to: State) -> str:
    """Return the line of a tick's report for a transition."""
    return f"{step.drop.slug}: {step.target.name} {step.state} → {to}"


def next_state(*, step: Step, phase: Phase, now: datetime) -> State | None:
    """Return the state to which the drop and the clock alone move a step; None: it stays. Pure."""
    if step.state == State.RELEASING or step.state in Step.OVER:
        return None
    if phase in lifecycle.ENDED_PHASES and step.state == State.PLANNED:
        return State.ABANDONED
    if phase in lifecycle.ENDED_PHASES:
        return State.RELEASING
    lobby_opens_at = step.drop.lobby_opens_at
    is_lobby_open = lobby_opens_at is not None and lobby_opens_at <= now
    if step.state in {State.READY, State.DEGRADED} and is_lobby_open:
        return State.HOLDING
    if step.state in {State.REQUESTED, State.CONVERGING} and step.needed_at <= now:
        return State.DEGRADED
    return None


def advance(*, now: datetime, dry_run: bool = False) -> list[str]:
    """Move every live step as far as its drop and the clock allow. Return a line per transition."""
    rows = list(live())
    drops = Drop.objects.with_state().in_bulk({row.drop_id for row in rows})
    lines: list[str] = []
    for row in rows:
        phase = lifecycle.phase(drop=drops[row.drop_id], now=now)
        lines += _advance_one(step=row, phase=phase, now=now, dry_run=dry_run)
    return lines


def _advance_one(*, step: Step, phase: Phase, now: datetime, dry_run: bool) -> Iterator[str]:
    """Move one step until it stays where it is."""
    while (to := next_state(step=step, phase=phase, now=now)) is not None:
        line = transition_line(step=step, to=to)
        if dry_run:
            step.state = to
        elif not move(step=step, to=to, message=_message_after(step=step, to=to)):
            return  # another tick moved it
        yield line


def _message_after(*, step: Step, to: State) -> str:
    if to in Step.OVER:
        return ""
    if to == State.DEGRADED:
        return "Not ready at the go / no-go."
    return step.message
