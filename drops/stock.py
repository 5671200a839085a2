"""What there is of each edition, counted from the units themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.db import models
from django.db.models import Q

from drops.models import Drop, Hold, Unit

Band = Literal["in", "low", "held", "gone"]


@dataclass(frozen=True)
class Count:
    """Units of one edition; the four add up to `total`."""

    free: int
    held: int  # by holds that are open or being paid for: they may return
    sold: int
    withheld: int

    @property
    def total(self) -> int:
        """All units of the edition: the "of 500"."""
        return self.free + self.held + self.sold + self.withheld


NOTHING = Count(free=0, held=0, sold=0, withheld=0)


def counts(*, drop: Drop) -> dict[int, Count]:
    """Count the drop's units by edition id. One query. An edition without units (a draft's) is left out."""
    return counts_of(drops=[drop])


def counts_of(*, drops: Iterable[Drop]) -> dict[int, Count]:
    """Count the units of several drops by edition id. One query."""
    units = Unit.objects.filter(edition__drop__in=list(drops)).order_by()
    rows = units.values("edition_id").annotate(
        free=models.Count("pk", filter=Q(hold=None, withheld_at=None)),
        held=models.Count("pk", filter=Q(hold__state__in=[Hold.State.OPEN, Hold.State.PAYING])),
        sold=models.Count("pk", filter=Q(hold__state=Hold.State.ALLOCATED)),
        withheld=models.Count("pk", filter=Q(withheld_at__isnull=False)),
    )
    return {
        row["edition_id"]: Count(free=row["free"], held=row["held"], sold=row["sold"], withheld=row["withheld"])
        for row in rows
    }


def band(count: Count) -> Band:
    """Say in one word how much is left: `low` is a tenth or less, `held` none free but some may return."""
    if count.free == 0:
        return "held" if count.held else "gone"
    return "low" if count.free * 10 <= count.total else "in"
