"""Decides what follows from one reading of a target: what to apply, whether it is ready or drifted. Pure.

A state is ours if it is the baseline, the desired state, a state that was observed or desired before that one
became ready, or a stage on the way. Anything else is drift: the target is stopped, and not touched again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from drops.scaling.models import Step, Target
from drops.scaling.planning import leases
from drops.scaling.providers import Provider, Reading
from drops.scaling.providers.base import State


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A target as it was read, and its steps."""

    target: Target
    provider: Provider
    reading: Reading
    steps: Sequence[Step]  # those that aren't over
    starting: Sequence[Step]  # those of them that may be requested now
    kept_because: str = ""  # why the target can't return to its baseline yet
    paused: bool = False
    now: datetime

    @property
    def is_frozen(self) -> bool:
        """Whether the target keeps its desired state: ops paused pre-scaling, or drift stopped the target."""
        return self.paused or self.target.stopped_at is not None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do. Without `state` there is nothing to do."""

    drift: bool = False
    state: State | None = None  # the desired state
    size: int = 0
    is_new: bool = False  # differs from the desired state that is committed
    ready: bool = False  # was read back at the desired state
    apply: bool = False  # the provider has to be asked for it
    released: bool = False  # ready without the leases that ended
    finished: bool = False  # ready at its baseline, and no lease is left


def decide(observation: Observation) -> Decision:
    """Decide what to do about a target."""
    target, provider = observation.target, observation.provider
    if is_drift(observation):
        return Decision(drift=True)
    leased = [step for step in observation.steps if step.state in Step.LEASES] + list(observation.starting)
    if target.baseline is None and not leased:
        return Decision()
    state, size = desired_state(observation, leased)
    ready = provider.is_ready(observation.reading, state)
    claimed = leases.required_size(target=target, leased=leased, baseline_size=target.baseline_size or 0)
    released = ready and not observation.kept_because and size <= claimed
    is_new = (
        target.desired is None or not provider.is_same(state, target.desired) or size != target.desired_size
    )
    return Decision(
        state=state,
        size=size,
        is_new=is_new,
        ready=ready,
        apply=not observation.is_frozen and not provider.is_same(observation.reading.state, state),
        released=released,
        finished=released and not leased and target.baseline is not None,
    )


def desired_state(observation: Observation, leased: Sequence[Step]) -> tuple[State, int]:
    """Return the state that the target should have, and its size; the committed one while it is frozen."""
    target, reading = observation.target, observation.reading
    baseline = reading.state if target.baseline is None else target.baseline
    baseline_size = reading.size if target.baseline_size is None else target.baseline_size
    if observation.is_frozen and target.desired is not None and target.desired_size is not None:
        return target.desired, target.desired_size
    size = leases.desired_size(
        target=target,
        leased=leased,
        baseline_size=baseline_size,
        may_fall=not observation.kept_because,
        now=observation.now,
    )
    if size == baseline_size:
        return baseline, size
    if size == target.desired_size and target.desired is not None:
        return target.desired, size
    return observation.provider.state_for(size, baseline=baseline), size


def is_drift(observation: Observation) -> bool:
    """Whether somebody else changed the target while pre-scaling controls it."""
    target, provider, live = observation.target, observation.provider, observation.reading.state
    if target.desired is None or target.stopped_at is not None:
        return False
    previous = target.previous or []
    ours = [target.baseline or {}, target.desired, *previous]
    if any(provider.is_same(live, state) for state in ours):
        return False
    return not any(provider.is_between(live, before=state, after=target.desired) for state in previous)


def previous_states(observation: Observation) -> list[State]:
    """Return the states that stay ours until the new one is ready: observed, or still possible."""
    target = observation.target
    candidates = [observation.reading.state]
    if target.desired:
        candidates.append(target.desired)
    candidates += target.previous or []
    found: list[State] = []
    for state in candidates:
        if not any(observation.provider.is_same(state, other) for other in found):
            found.append(state)
    return found
