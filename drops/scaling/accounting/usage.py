"""What drops claimed of targets over time, and how much of it falls to each of them.

Where drops overlap, each instance above the baseline falls in equal parts to those that claim it at that moment, so
that the bills of all drops add up to what stood.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from drops.scaling.models import Step, Target, Usage
from drops.scaling.planning import leases


def keep(*, step: Step, now: datetime) -> None:
    """Keep what a step claimed until now, before it claims something else; in the caller's transaction."""
    earlier = Usage.objects.filter(drop=step.drop_id, target=step.target_id).order_by("-until").first()
    if claim := last(step=step, after=earlier.until if earlier else None, now=now):
        claim.save()


def last(*, step: Step, after: datetime | None, now: datetime) -> Usage | None:
    """Give what a step claims now, or claimed last, since its claim before ended; None if it requested nothing."""
    if step.requested_at is None:
        return None
    since = max(step.requested_at, after or step.requested_at)
    size, until = leases.claim(step=step, target=step.target), max(since, step.ended_at or now)
    return Usage(drop_id=step.drop_id, target_id=step.target_id, size=size, since=since, until=until)


def of(*, target: Target, now: datetime) -> list[Usage]:
    """Read what every drop claimed of a target, up to now; what a step still has, or had last, is not in the table."""
    kept = list(Usage.objects.filter(target=target).order_by("until"))
    ends = {claim.drop_id: claim.until for claim in kept}
    steps = Step.objects.filter(target=target).select_related("drop__scale_plan", "target")
    found = [last(step=step, after=ends.get(step.drop_id), now=now) for step in steps]
    return kept + [claim for claim in found if claim]


def share(*, claims: Sequence[Usage], drop_id: UUID, baseline: int) -> float:
    """Give the instance-seconds above the baseline that fall to a drop."""
    moments = sorted({moment for claim in claims for moment in (claim.since, claim.until)})
    return sum(
        (until - since).total_seconds() * part(sizes=sizes_at(claims, since), drop_id=drop_id, baseline=baseline)
        for since, until in pairwise(moments)
    )


def sizes_at(claims: Sequence[Usage], moment: datetime) -> dict[UUID, int]:
    """Give what each drop claims at a moment."""
    return {claim.drop_id: claim.size for claim in claims if claim.since <= moment < claim.until}


def part(*, sizes: dict[UUID, int], drop_id: UUID, baseline: int) -> float:
    """Give the instances that fall to a drop: a part of each that it claims, as small as there are drops that do."""
    mine = sizes.get(drop_id, baseline)
    bounds = sorted({baseline, *(size for size in sizes.values() if baseline < size <= mine)})
    return sum((high - low) / sum(size >= high for size in sizes.values()) for low, high in pairwise(bounds))
