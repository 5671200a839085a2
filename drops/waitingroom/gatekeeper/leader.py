"""The gatekeepers' leadership: one row, won by one guarded UPDATE and renewed with every tick's commit.

The term increases each time the row changes hands. A gatekeeper with an older term can neither commit (WHERE
term = its own) nor publish (Redis refuses an older term), however long it slept.
"""

from django.db import connection

LEASE_SECONDS = 5  # without a renewal for this long, another gatekeeper may take over

# The beginning of every statement by which the leader commits: it renews the lease. If the lead is lost,
# `leader` has no row, and a statement that joins it changes nothing.
RENEWAL = f"""
    leader AS (
        UPDATE drops_leadership SET until = now() + interval '{LEASE_SECONDS} seconds'
        WHERE id = 1 AND term = %(term)s
        RETURNING term
    )
"""

# One statement takes the lead if nobody has it, and reads how long the present leader may keep it.
ACQUIRE = f"""
    WITH won AS (
        INSERT INTO drops_leadership AS l (id, term, holder, until)
        VALUES (1, %(above)s + 1, %(holder)s, now() + interval '{LEASE_SECONDS} seconds')
        ON CONFLICT (id) DO UPDATE
        SET term = greatest(l.term, %(above)s) + 1, holder = excluded.holder, until = excluded.until
        WHERE l.until < now()
        RETURNING term
    )
    SELECT won.term, extract(epoch FROM l.until - now())::float
    FROM (SELECT 1 AS id) one LEFT JOIN won ON true LEFT JOIN drops_leadership l ON l.id = one.id
"""


class LeadershipTaken(Exception):
    """Another gatekeeper leads, for `seconds` more unless it renews its lease."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class LeadershipLost(Exception):
    """Another gatekeeper leads; nothing was committed."""


def acquire(*, holder: str, above: int = 0) -> int:
    """Take the lead and return its term, which is greater than `above`. Raises: LeadershipTaken."""
    with connection.cursor() as cursor:
        cursor.execute(ACQUIRE, {"holder": holder, "above": above})
        term, seconds = cursor.fetchone()
    if term is None:
        raise LeadershipTaken(seconds or 0.0)
    found: int = term
    return found


def renew(*, term: int) -> None:
    """Keep the lead where no commit renews it. Raises: LeadershipLost."""
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {RENEWAL} SELECT term FROM leader", {"term": term})
        if cursor.fetchone() is None:
            raise LeadershipLost


def release(*, term: int) -> bool:
    """Let another gatekeeper take over at once; return whether this one still led."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE drops_leadership SET until = now() - interval '1 second' WHERE id = 1 AND term = %s",
            [term],
        )
        released: bool = cursor.rowcount == 1
    return released
