"""The size that a target must have for its leases. Pure.

The largest lease of overlapping drops wins; without a lease, a target has its baseline, and never less.
"""

from collections.abc import Sequence
from datetime import datetime

from drops.scaling.models import Step, Target


def lease_size(*, step: Step, target: Target) -> int:
    """Return the size that a step may lease: while it needs approval, only what ops have allowed so far."""
    if not step.needs_approval or target.ops_ceiling is None:
        return step.desired_size
    scale_plan = getattr(step.drop, "scale_plan", None)
    approved = scale_plan.approved_sizes.get(str(target.pk), 0) if scale_plan else 0
    return min(step.desired_size, max(target.ops_ceiling, approved))


def must_not_fall(*, steps: Sequence[Step], now: datetime) -> bool:
    """Whether the size must not fall now: the lobby of a drop is open, or its go / no-go is due."""
    return any(step.state == Step.State.HOLDING or step.needed_at <= now for step in steps)


def required_size(*, target: Target, leased: Sequence[Step], baseline_size: int) -> int:
    """Return the largest of the leases and the baseline."""
    return max([baseline_size, *(lease_size(step=step, target=target) for step in leased)])


def desired_size(
    *, target: Target, leased: Sequence[Step], baseline_size: int, now: datetime, may_fall: bool = True
) -> int:
    """Return the size that a target must have now for the steps that are leases."""
    size = required_size(target=target, leased=leased, baseline_size=baseline_size)
    is_kept = must_not_fall(steps=leased, now=now) or not may_fall
    if is_kept and target.desired_size is not None:
        return max(size, target.desired_size)
    return size
