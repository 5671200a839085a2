"""What the last drops teach: how many came, how long a checkout took, how much a hold took, what each group used."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F, Sum
from django.utils.translation import gettext as _

from drops.models import Drop, Hold, HoldLine
from drops.scaling.models import Demand
from drops.scaling.planning import weights
from drops.scaling.planning.demand import short, whole
from drops.scaling.planning.weights import Measured

CHECKOUT_SECONDS = 60.0
FEWEST_HOLDS = 20  # of the last drops together, before their average counts
MARGIN = 1.2  # what is suggested, above the largest crowd of late


@dataclass(frozen=True, kw_only=True)
class Past:
    """Figures of the last drops, with the words that say where they are from."""

    units_per_hold: float
    checkout_seconds: float
    checkout_reason: str
    measured: tuple[Measured, ...]


@dataclass(frozen=True)
class Suggestion:
    """How many shoppers to expect, and why; 0 if nothing is known."""

    expected: int
    reason: str


def last_drops(*, before: Drop) -> list[Drop]:
    """Read the last drops that were sealed, the newest first; not the one that is planned for, and no rehearsals.

    The crowd of a rehearsal comes within seconds. Its drop is never listed.
    """
    rows = Drop.objects.filter(sealed_at__isnull=False, listed=True).exclude(pk=before.pk).order_by("-opens_at")
    return list(rows.select_related("checkpoint")[: weights.LAST])


def read(*, before: Drop) -> Past:
    """Read what the last drops teach for the next one."""
    drops = last_drops(before=before)
    took = ExpressionWrapper(F("ended_at") - F("created_at"), output_field=DurationField())
    bought = Hold.objects.filter(drop__in=drops, state=Hold.State.ALLOCATED)
    seen = bought.aggregate(holds=Count("pk"), seconds=Avg(took))
    units = HoldLine.objects.filter(hold__in=bought).aggregate(all=Sum("quantity"))["all"] or 0
    enough = seen["holds"] >= FEWEST_HOLDS
    mean: timedelta = seen["seconds"] or timedelta()
    seconds = max(1.0, mean.total_seconds()) if enough else CHECKOUT_SECONDS
    words = (
        f"about {short(seconds)} s from the hold to the authorised payment, the mean of the last {whole(seen['holds'])} orders"
        if enough
        else f"about {short(seconds)} s from the hold to the authorised payment, an assumption"
    )
    return Past(
        units_per_hold=max(1.0, units / seen["holds"]) if enough else 1.0,
        checkout_seconds=seconds,
        checkout_reason=words,
        measured=tuple(measured(before=before)),
    )


def measured(*, before: Drop) -> list[Measured]:
    """Read what the groups used in the last drops that were measured, the newest first."""
    rows = (
        Demand.objects.filter(drop__listed=True)
        .exclude(drop=before)
        .select_related("drop", "drop__checkpoint")
        .order_by("-drop__opens_at", "group")
    )
    return [
        Measured(
            slug=row.drop.slug,
            group=row.group,
            shoppers=row.shoppers,
            entered=row.drop.checkpoint.entered if hasattr(row.drop, "checkpoint") else 0,
            seconds=lasted(row.drop),
            requests=row.requests,
            peak_per_second=row.peak_per_second,
            cpu_seconds=row.cpu_seconds,
            slots=row.slots,
            connections=row.connections,
        )
        for row in rows[: weights.LAST * 3 * len(weights.DEFAULTS)]
    ]


def lasted(drop: Drop) -> float:
    """Tell how many seconds passed from a drop's lobby to its end; 0 if it has none yet."""
    if drop.ends_at is None or drop.lobby_opens_at is None:
        return 0.0
    return (drop.ends_at - drop.lobby_opens_at).total_seconds()


def suggest(*, drop: Drop) -> Suggestion:
    """Suggest how many shoppers to expect: a fifth more than came to the largest of the last drops."""
    came = [(row.checkpoint.joined, row) for row in last_drops(before=drop) if hasattr(row, "checkpoint")]
    largest = max(came, key=lambda pair: pair[0], default=None)
    if largest is None or not largest[0]:
        return Suggestion(0, "No drop has been held yet that could tell how many come.")
    joined, row = largest
    words = _("%(n)s joined %(drop)s, the most of the last %(drops)s drops; and a fifth more.")
    return Suggestion(-(-joined * 12 // 10), words % {"n": whole(joined), "drop": row.slug, "drops": len(came)})
