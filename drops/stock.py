"""What there is of each edition, counted from the units themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.db import connection

from drops.models import Drop

Band = Literal["in", "low", "held", "gone"]
COUNTS = """
    SELECT u.edition_id, count(*) FILTER (WHERE u.hold_id IS NULL AND u.withheld_at IS NULL),
           count(*) FILTER (WHERE h.state IN ('open', 'paying')), count(*) FILTER (WHERE h.state = 'allocated'),
           count(*) FILTER (WHERE u.withheld_at IS NOT NULL)
    FROM drops_unit u JOIN drops_edition e ON e.id = u.edition_id LEFT JOIN drops_hold h ON h.id = u.hold_id
    WHERE e.drop_id = ANY(%s) GROUP BY u.edition_id
"""


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
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, [[drop.pk for drop in drops]])
        return {
            edition: Count(free=free, held=held, sold=sold, withheld=withheld)
            for edition, free, held, sold, withheld in cursor.fetchall()
        }


def band(count: Count) -> Band:
    """Say in one word how much is left: `low` is a tenth or less, `held` none free but some may return."""
    if count.free == 0:
        return "held" if count.held else "gone"
    return "low" if count.free * 10 <= count.total else "in"
