"""What one look at a target leads to: what to ask of it, whether it stands, whether somebody else changed it. Pure.

A state is ours if it is the baseline, what was asked, what stood or was asked before that until READY, or a stage of
the way. Anything else is drift: the target is stopped and never touched.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from drops.scaling.models import Step, Target
from drops.scaling.planning import leases
from drops.scaling.providers import Provider, Reading
from drops.scaling.providers.base import State


@dataclass(frozen=True, kw_only=True)
class Look:
    """A target as read, the drops' steps on it, and what their other targets allow."""

    target: Target
    kind: Provider
    reading: Reading
    steps: Sequence[Step]  # live ones
    starting: Sequence[Step]  # of them, those that may be requested now
    stays: str = ""  # why it can't go back to its baseline yet
    paused: bool = False
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What follows. Without `state` there is nothing to do."""

    drift: bool = False
    state: State | None = None  # what it should be
    size: int = 0
    is_new: bool = False  # not yet what is committed as asked
    ready: bool = False  # it stands so
    ask: bool = False  # it has to be asked for
    released: bool = False  # it stands so without the claims that ended
    over: bool = False  # it stands at its baseline, and nobody has a claim: forget it


def decide(look: Look) -> Decision:
    """Decide what to do about a target."""
    target = look.target
    if is_drift(look):
        return Decision(drift=True)
    leased = [step for step in look.steps if step.state in Step.LEASES] + list(look.starting)
    if target.baseline is None and not leased:
        return Decision()
    state, size = wanted(look, leased)
    ready = look.kind.is_ready(look.reading, state)
    claimed = leases.claimed(target=target, leased=leased, baseline_size=target.baseline_size or 0)
    released = ready and not look.stays and size <= claimed
    quiet = look.paused or target.stopped_at is not None
    return Decision(
        state=state,
        size=size,
        is_new=target.asked is None or not look.kind.is_same(state, target.asked) or size != target.asked_size,
        ready=ready,
        ask=not quiet and not look.kind.is_same(look.reading.state, state),
        released=released,
        over=released and not leased and target.baseline is not None,
    )


def wanted(look: Look, leased: Sequence[Step]) -> tuple[State, int]:
    """Give the state that the target should be in, and its size; what was asked, where that must not change now."""
    target = look.target
    baseline = look.reading.state if target.baseline is None else target.baseline
    baseline_size = look.reading.size if target.baseline_size is None else target.baseline_size
    quiet = look.paused or target.stopped_at is not None
    if quiet and target.asked is not None and target.asked_size is not None:
        return target.asked, target.asked_size
    size = leases.desired(
        target=target, leased=leased, baseline_size=baseline_size, may_fall=not look.stays, now=look.now
    )
    if size == baseline_size:
        return baseline, size
    if size == target.asked_size and target.asked is not None:
        return target.asked, size
    return look.kind.state_for(size, baseline=baseline), size


def is_drift(look: Look) -> bool:
    """Tell whether somebody else changed the target while it is ours."""
    target, kind, live = look.target, look.kind, look.reading.state
    if target.asked is None or target.stopped_at is not None:
        return False
    ours = [target.baseline or {}, target.asked, *(target.before or [])]
    if any(kind.is_same(live, state) for state in ours):
        return False
    return not any(kind.is_between(live, before=before, after=target.asked) for before in target.before or [])


def before(look: Look) -> list[State]:
    """Give the states that stay ours until the new one is READY: what stands, and what was asked and may still come."""
    found: list[State] = []
    for state in (look.reading.state, *([look.target.asked] if look.target.asked else []), *(look.target.before or [])):
        if not any(look.kind.is_same(state, other) for other in found):
            found.append(state)
    return found
