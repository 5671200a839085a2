"""What leases make of a target: how large it must be. Pure.

The larger claim of overlapping drops wins; without one the target stands at its baseline, never below it.
"""

from collections.abc import Sequence
from datetime import datetime

from drops.scaling.models import Step, Target


def claim(*, step: Step, target: Target) -> int:
    """Give the size that a step may claim: of what waits for a yes, as much as ops agreed to so far."""
    if step.needs_approval and target.ops_ceiling is not None:
        scale_plan = getattr(step.drop, "scale_plan", None)
        agreed = scale_plan.approved_sizes.get(str(target.pk), 0) if scale_plan else 0
        return min(step.desired_size, max(target.ops_ceiling, agreed))
    return step.desired_size


def is_fast(*, steps: Sequence[Step], now: datetime) -> bool:
    """Tell whether nothing may fall: a drop holds, or its go / no-go has fallen."""
    return any(step.state == Step.State.HOLDING or step.needed_at <= now for step in steps)


def claimed(*, target: Target, leased: Sequence[Step], baseline_size: int) -> int:
    """Give the largest of the claims and the baseline."""
    return max([baseline_size, *(claim(step=step, target=target) for step in leased)])


def desired(*, target: Target, leased: Sequence[Step], baseline_size: int, now: datetime, may_fall: bool = True) -> int:
    """Give the size that a target must have for the steps that are leases."""
    size = claimed(target=target, leased=leased, baseline_size=baseline_size)
    if target.desired_size is not None and (is_fast(steps=leased, now=now) or not may_fall):
        return max(size, target.desired_size)
    return size
