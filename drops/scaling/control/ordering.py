"""Ordering constraints between steps.

Data stores are scaled up before the workers that use them, and brought back after them; and the fleets never
use more connections than the database allows.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from drops.models import Drop
from drops.scaling.control import steps
from drops.scaling.models import Step, Target
from drops.scaling.planning import capacity, leases, read_inputs

State = Step.State
NOT_READY_STATES = (State.PLANNED, State.REQUESTED, State.CONVERGING)


def why_not_requested(*, step: Step, now: datetime) -> str:
    """Return why a due step can't be requested yet; empty if it can."""
    earlier = steps.live().filter(drop=step.drop, tier__lt=step.tier, state__in=NOT_READY_STATES)
    for other in earlier.order_by("tier", "pk"):
        # Don't wait for a target that is late or can't be changed: from there on, the connections decide.
        is_late = other.needed_at <= now
        is_stuck = other.needs_approval or other.target.stopped_at is not None or not other.target.enabled
        if not is_late and not is_stuck:
            return f"Waiting for {other.target.name}, which is scaled up first."
    if not step.target.connections:
        return ""
    size = leases.lease_size(step=step, target=step.target)
    return connection_shortage(drop=step.drop, sizes={step.target_id: size}, now=now)


def why_not_restored(*, target: Target, releasing: Sequence[Step], now: datetime) -> str:
    """Return why a target without a lease can't return to its baseline yet; empty if it can."""
    for step in releasing:
        later = steps.live().filter(drop=step.drop, tier__gt=step.tier, state=State.RELEASING)
        other = later.filter(target__stopped_at=None).order_by("-tier", "pk").first()
        if other is not None:
            return f"Waiting for {other.target.name}, which is brought back first."
    if not target.connection_limit or target.baseline_size is None or not releasing:
        return ""
    return connection_shortage(drop=releasing[0].drop, sizes={target.pk: target.baseline_size}, now=now)


def connection_shortage(*, drop: Drop, sizes: Mapping[int, int], now: datetime) -> str:
    """Return by how much these sizes would exceed the database's connections; empty if they don't."""
    current_sizes = {}
    for target in Target.objects.all():
        size = possible_size(target)
        if size is not None:
            current_sizes[target.pk] = size
    inputs = read_inputs.read(drop=drop, expected=drop.expected_shoppers or 1, now=now)
    connections = capacity.connection_use(sizes=current_sizes | dict(sizes), inputs=inputs)
    if connections.fits:
        return ""
    return f"Waiting for database connections. {connections.message}"


def possible_size(target: Target) -> int | None:
    """Return the worst case: the most that a fleet may have, the least that a database may have."""
    if target.connection_limit:
        sizes = [size for size in (target.desired_size, target.ready_size) if size is not None]
        return min(sizes, default=None)
    observed_size = (target.observed or {}).get("size")
    sizes = [size for size in (target.desired_size, observed_size) if size is not None]
    return max(sizes, default=None)
