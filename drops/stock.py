"""Counts of each edition's free, held, sold and withheld units, made from the units themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.db import connection

from drops.models import Drop

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
    # By hand, as the gatekeeper counts once a second: writing this took the ORM 0.6 of a tick's 1.9 ms.
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT u.edition_id,
                   count(*) FILTER (WHERE u.hold_id IS NULL AND u.withheld_at IS NULL),
                   count(*) FILTER (WHERE h.state IN ('open', 'paying')),
                   count(*) FILTER (WHERE h.state = 'allocated'),
                   count(*) FILTER (WHERE u.withheld_at IS NOT NULL)
            FROM drops_edition e
            JOIN drops_unit u ON u.edition_id = e.id
            LEFT JOIN drops_hold h ON h.id = u.hold_id
            WHERE e.drop_id = ANY(%s)
            GROUP BY u.edition_id
            """,
            [[drop.pk for drop in drops]],
        )
        return {
            edition: UnitCounts(free=free, held=held, sold=sold, withheld=withheld)
            for edition, free, held, sold, withheld in cursor.fetchall()
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
