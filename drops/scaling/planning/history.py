"""What the last drops show: how many shoppers came, how long a checkout took, and what each group used."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Sum

from drops.models import Drop, Hold, HoldLine
from drops.scaling.models import Demand
from drops.scaling.planning import weights
from drops.scaling.planning.figures import short, whole
from drops.scaling.planning.weights import MeasuredDemand

DEFAULT_CHECKOUT_SECONDS = 60.0
MIN_HOLDS = 20  # of the last drops together; the average of fewer doesn't count
SUGGESTED_PERCENT = 120  # of the largest crowd of the last drops
MAX_DEMANDS = (
    weights.MAX_DROPS * 3 * len(weights.DEFAULT_WEIGHTS)
)  # some drops weren't measured for every group


@dataclass(frozen=True, kw_only=True)
class History:
    """Figures of the last drops, and where they come from."""

    units_per_hold: float
    checkout_seconds: float
    checkout_reason: str
    measured: tuple[MeasuredDemand, ...]


@dataclass(frozen=True)
class Suggestion:
    """How many shoppers to expect, and why; 0 if nothing is known."""

    expected: int
    reason: str


def last_drops(*, before: Drop) -> list[Drop]:
    """Return the last drops that were sealed, newest first: not the planned one, and no load tests.

    The crowd of a load test comes within seconds. Its drop is never listed.
    """
    rows = (
        Drop.objects.filter(sealed_at__isnull=False, listed=True).exclude(pk=before.pk).order_by("-opens_at")
    )
    return list(rows.select_related("checkpoint")[: weights.MAX_DROPS])


def read(*, before: Drop) -> History:
    """Return what the last drops show for the next one."""
    duration = ExpressionWrapper(F("ended_at") - F("created_at"), output_field=DurationField())
    sold = Hold.objects.filter(drop__in=last_drops(before=before), state=Hold.State.ALLOCATED)
    totals = sold.aggregate(holds=Count("pk"), mean=Avg(duration))
    measured = tuple(measured_demands(before=before))
    holds: int = totals["holds"]
    if holds < MIN_HOLDS:
        return History(
            units_per_hold=1.0,
            checkout_seconds=DEFAULT_CHECKOUT_SECONDS,
            checkout_reason=(
                f"about {short(DEFAULT_CHECKOUT_SECONDS)} s from the hold to the authorised payment, an assumption"
            ),
            measured=measured,
        )
    units = HoldLine.objects.filter(hold__in=sold).aggregate(all=Sum("quantity"))["all"] or 0
    mean: timedelta = totals["mean"] or timedelta()
    seconds = max(1.0, mean.total_seconds())
    return History(
        units_per_hold=max(1.0, units / holds),
        checkout_seconds=seconds,
        checkout_reason=(
            f"about {short(seconds)} s from the hold to the authorised payment, the mean of the last "
            f"{whole(holds)} orders"
        ),
        measured=measured,
    )


def measured_demands(*, before: Drop) -> list[MeasuredDemand]:
    """Return what the groups used in the last drops that were measured, newest first."""
    rows = (
        Demand.objects.filter(drop__listed=True)
        .exclude(drop=before)
        .select_related("drop", "drop__checkpoint")
        .order_by("-drop__opens_at", "group")
    )
    return [
        MeasuredDemand(
            slug=row.drop.slug,
            group=row.group,
            shoppers=row.shoppers,
            entered=row.drop.checkpoint.entered if hasattr(row.drop, "checkpoint") else 0,
            seconds=duration_seconds(row.drop),
            requests=row.requests,
            peak_per_second=row.peak_per_second,
            cpu_seconds=row.cpu_seconds,
            slots=row.slots,
            connections=row.connections,
        )
        for row in rows[:MAX_DEMANDS]
    ]


def duration_seconds(drop: Drop) -> float:
    """Return the seconds from a drop's lobby to its end; 0 if either is unknown."""
    if drop.ends_at is None or drop.lobby_opens_at is None:
        return 0.0
    return (drop.ends_at - drop.lobby_opens_at).total_seconds()


def suggest(*, drop: Drop) -> Suggestion:
    """Suggest how many shoppers to expect: a fifth more than joined the largest of the last drops."""
    drops = [row for row in last_drops(before=drop) if hasattr(row, "checkpoint")]
    largest = max(drops, key=lambda row: row.checkpoint.joined, default=None)
    if largest is None or not largest.checkpoint.joined:
        return Suggestion(0, "There is no earlier drop to estimate from.")
    joined = largest.checkpoint.joined
    expected = -(-joined * SUGGESTED_PERCENT // 100)  # rounded up
    reason = (
        f"{whole(joined)} shoppers joined {largest.slug}, the largest of the last {len(drops)} drops; "
        "this is a fifth more."
    )
    return Suggestion(expected, reason)
