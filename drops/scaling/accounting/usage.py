"""What drops used of targets over time, and how much of it is charged to each of them.

Where drops overlap, each instance above the baseline is charged in equal parts to the drops that need it at
that moment, so that the costs of all drops add up to what was running.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from drops.scaling.models import Step, Target, Usage
from drops.scaling.planning import leases


def record(*, step: Step, now: datetime) -> None:
    """Store the lease that a step has had until now, before it changes; in the caller's transaction."""
    earlier = Usage.objects.filter(drop=step.drop_id, target=step.target_id).order_by("-until").first()
    interval = current_interval(step=step, after=earlier.until if earlier else None, now=now)
    if interval is not None:
        interval.save()


def current_interval(*, step: Step, after: datetime | None, now: datetime) -> Usage | None:
    """Return, unsaved, the step's present or last lease since `after`; None if it requested nothing."""
    if step.requested_at is None:
        return None
    since = max(step.requested_at, after or step.requested_at)
    until = max(since, step.ended_at or now)
    size = leases.lease_size(step=step, target=step.target)
    return Usage(drop_id=step.drop_id, target_id=step.target_id, size=size, since=since, until=until)


def intervals(*, target: Target, now: datetime) -> list[Usage]:
    """Return every drop's use of a target until now: the stored intervals, and those of the live steps."""
    stored = list(Usage.objects.filter(target=target).order_by("until"))
    ends = {usage.drop_id: usage.until for usage in stored}
    steps = Step.objects.filter(target=target).select_related("drop__scale_plan", "target")
    current = [current_interval(step=step, after=ends.get(step.drop_id), now=now) for step in steps]
    return stored + [usage for usage in current if usage is not None]


def instance_seconds(*, usages: Sequence[Usage], drop_id: UUID, baseline: int) -> float:
    """Return the instance-seconds above the baseline that are charged to a drop."""
    moments = {usage.since for usage in usages} | {usage.until for usage in usages}
    total = 0.0
    for since, until in pairwise(sorted(moments)):
        charged = instances_of_drop(sizes=sizes_at(usages, since), drop_id=drop_id, baseline=baseline)
        total += (until - since).total_seconds() * charged
    return total


def sizes_at(usages: Sequence[Usage], moment: datetime) -> dict[UUID, int]:
    """Return the size that each drop needs at a moment."""
    return {usage.drop_id: usage.size for usage in usages if usage.since <= moment < usage.until}


def instances_of_drop(*, sizes: dict[UUID, int], drop_id: UUID, baseline: int) -> float:
    """Return the instances that are charged to a drop: each one that it needs ÷ the drops that need it."""
    own_size = sizes.get(drop_id, baseline)
    bounds = sorted({baseline, *(size for size in sizes.values() if baseline < size <= own_size)})
    charged = 0.0
    for low, high in pairwise(bounds):
        drops = sum(size >= high for size in sizes.values())  # that need the instances between these bounds
        charged += (high - low) / drops
    return charged
