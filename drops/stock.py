"""Counts of each edition's free, held, sold and withheld units, made from the units themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.db.models import Count, Q

from drops.models import Drop, Hold, Unit
from drops.models.stock import FREE

Band = Literal["in", "low", "held", "gone"]


@dataclass(frozen=True)
class UnitCounts:
    """Units of one edition; the four add up to `total`."""

    free: int
    held: int  # by holds that are open or being paid for: they may come back
    sold: int
    withheld: int

    @property
    def total(self) -> int:
        """All units of the edition: the "of 500"."""
        return self.free + self.held + self.sold + self.withheld


NO_UNITS = UnitCounts(free=0, held=0, sold=0, withheld=0)


def counts(*, drop: Drop) -> dict[int, UnitCounts]:
    """Count the drop's units by edition id, in one query.

    Editions of a draft, without units, are left out.
    """
    return counts_of(drops=[drop])


def counts_of(*, drops: Iterable[Drop]) -> dict[int, UnitCounts]:
    """Count the units of several drops by edition id, in one query."""
    units = Unit.objects.filter(edition__drop__in=[drop.pk for drop in drops]).order_by()
    rows = units.values_list("edition").annotate(
        free=Count("pk", filter=FREE),
        held=Count("pk", filter=Q(hold__state__in=Hold.BUSY)),
        sold=Count("pk", filter=Q(hold__state=Hold.State.ALLOCATED)),
        withheld=Count("pk", filter=Q(withheld_at__isnull=False)),
    )
    return {
        edition: UnitCounts(free=free, held=held, sold=sold, withheld=withheld)
        for edition, free, held, sold, withheld in rows
    }


def band(count: UnitCounts) -> Band:
    """Return how much is left: `low` is a tenth or less, `held` none free but some may come back."""
    if count.free * 10 > count.total:
        return "in"
    if count.free:
        return "low"
    if count.held:
        return "held"
    return "gone"
