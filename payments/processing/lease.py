"""The lease on an order: one worker at a time advances it.

The lease saves work; the guards of each change alone keep the money right. It is renewed before each call to
Stripe, since create, confirm and capture together may take longer than one lease.
"""

from datetime import datetime

from django.db import connection
from django.db.models.functions import Now

from payments.models import Order

LEASE_SECONDS = 30


class LeaseLost(Exception):
    """The lease ran out, and a different worker has it now."""


def acquire(*, order_id: int) -> datetime | None:
    """Lease the order for 30 s by the database's clock; return until when, or None if it is leased."""
    return _extend("leased_until <= statement_timestamp()", order_id, [])


def renew(*, order: Order) -> None:
    """Lease the order for another 30 s from now. Raises LeaseLost."""
    leased_until = _extend("leased_until = %s", order.pk, [order.leased_until])
    if leased_until is None:
        raise LeaseLost
    order.leased_until = leased_until


def release(*, order: Order) -> None:
    """End the lease, unless it ran out and a different worker has it now."""
    Order.objects.filter(pk=order.pk, leased_until=order.leased_until).update(leased_until=Now())


def _extend(condition: str, order_id: int, values: list[datetime]) -> datetime | None:
    with connection.cursor() as cursor:
        # One UPDATE decides which of two workers has the lease.
        cursor.execute(
            f"""
            UPDATE payments_order SET leased_until = statement_timestamp() + %s * interval '1 second'
            WHERE id = %s AND {condition}
            RETURNING leased_until
            """,
            [LEASE_SECONDS, order_id, *values],
        )
        row: tuple[datetime] | None = cursor.fetchone()
        return row[0] if row else None
