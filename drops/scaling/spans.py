"""What drops claimed of targets over time, and how much of it falls to each of them.

Where drops overlap, each instance above the baseline falls in equal parts to those that claim it at that moment, so
that the bills of all drops add up to what stood.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from drops.scaling import leases
from drops.scaling.models import Claim, Step, Target


@dataclass(frozen=True, kw_only=True)
class Span:
    """A drop's claim of so many instances, from one moment to another."""

    drop_id: UUID
    size: int
    since: datetime
    until: datetime


def keep(*, step: Step, now: datetime) -> None:
    """Keep what a step claimed until now, before it claims something else; in the caller's transaction."""
    earlier = Claim.objects.filter(drop=step.drop_id, target=step.target_id).order_by("-until").first()
    if span := last(step=step, after=earlier.until if earlier else None, now=now):
        Claim.objects.create(
            drop_id=span.drop_id, target_id=step.target_id, size=span.size, since=span.since, until=span.until
        )


def last(*, step: Step, after: datetime | None, now: datetime) -> Span | None:
    """Give what a step claims now, or claimed last, since its claim before ended; None if it requested nothing."""
    if step.requested_at is None:
        return None
    since = max(step.requested_at, after or step.requested_at)
    size = leases.claim(step=step, target=step.target)
    return Span(drop_id=step.drop_id, size=size, since=since, until=max(since, step.ended_at or now))


def of(*, target: Target, now: datetime) -> list[Span]:
    """Read what every drop claimed of a target, up to now."""
    kept = Claim.objects.filter(target=target).order_by("until")
    spans = [Span(drop_id=row.drop_id, size=row.size, since=row.since, until=row.until) for row in kept]
    ends = {span.drop_id: span.until for span in spans}
    steps = Step.objects.filter(target=target).select_related("drop__preparation", "target")
    found = [last(step=step, after=ends.get(step.drop_id), now=now) for step in steps]
    return spans + [span for span in found if span]


def share(*, spans: Sequence[Span], drop_id: UUID, baseline: int) -> float:
    """Give the instance-seconds above the baseline that fall to a drop."""
    moments = sorted({moment for span in spans for moment in (span.since, span.until)})
    return sum(
        (until - since).total_seconds() * part(claims=claims_at(spans, since), drop_id=drop_id, baseline=baseline)
        for since, until in pairwise(moments)
    )


def claims_at(spans: Sequence[Span], moment: datetime) -> dict[UUID, int]:
    """Give what each drop claims at a moment."""
    return {span.drop_id: span.size for span in spans if span.since <= moment < span.until}


def part(*, claims: dict[UUID, int], drop_id: UUID, baseline: int) -> float:
    """Give the instances that fall to a drop: a part of each that it claims, as small as there are drops that do."""
    mine = claims.get(drop_id, baseline)
    bounds = sorted({baseline, *(size for size in claims.values() if baseline < size <= mine)})
    return sum((high - low) / sum(size >= high for size in claims.values()) for low, high in pairwise(bounds))
