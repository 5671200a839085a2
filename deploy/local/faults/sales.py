"""When a drop's holds were placed and its payments captured, read from the shop's database."""

from dataclasses import dataclass
from datetime import datetime

import psycopg

HOLDS = """
    SELECT hold.created_at FROM drops_hold hold JOIN drops_drop ON drops_drop.id = hold.drop_id
    WHERE drops_drop.slug = %s ORDER BY hold.created_at
"""
CAPTURES = """
    SELECT payment.captured_at FROM payments_payment payment
    JOIN payments_order ON payments_order.id = payment.order_id
    JOIN drops_hold hold ON hold.id = payments_order.hold_id
    JOIN drops_drop ON drops_drop.id = hold.drop_id
    WHERE drops_drop.slug = %s AND payment.captured_at IS NOT NULL ORDER BY payment.captured_at
"""


@dataclass(frozen=True)
class Sales:
    """Times in order, of the database's clock."""

    holds: list[datetime]
    captures: list[datetime]

    def seconds_until_next(self, moment: datetime) -> float | None:
        """Return the seconds from `moment` until a hold is placed; None if none was."""
        return next(((hold - moment).total_seconds() for hold in self.holds if hold >= moment), None)


def read(*, database_url: str, slug: str) -> Sales:
    """Raises: psycopg.Error."""
    with psycopg.connect(database_url) as connection:
        holds = [moment for (moment,) in connection.execute(HOLDS, [slug])]
        captures = [moment for (moment,) in connection.execute(CAPTURES, [slug])]
    return Sales(holds, captures)
