"""Which gatekeeper leads: one row, won by one guarded UPDATE, kept by renewing it with every tick's commit.

The term goes up each time the row changes hands. Whoever holds an older term can commit nothing (WHERE term = mine) and
publish nothing (Redis refuses an older term), however long it slept.
"""

from django.db import connection

LEASE_SECONDS = 5  # without a renewal for so long, another one may take over

# Stands at the head of every statement by which the leader commits: it renews the lease, and yields no row to others.
RENEWAL = f"""
    mine AS (
        UPDATE drops_leadership SET until = now() + interval '{LEASE_SECONDS} seconds'
        WHERE id = 1 AND term = %(term)s RETURNING term
    )
"""


def acquire(*, holder: str, above: int = 0) -> tuple[int | None, float]:
    """Take the lead if nobody has it: the new term, above `above`; or None, and the seconds it is taken for."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
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
            """,
            {"holder": holder, "above": above},
        )
        term, seconds = cursor.fetchone()
    return (term, float(LEASE_SECONDS)) if term else (None, seconds or 0.0)


def renew(*, term: int) -> bool:
    """Keep the lead for some seconds more, where no commit does so; False if it is lost."""
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {RENEWAL} SELECT term FROM mine", {"term": term})
        return cursor.fetchone() is not None


def release(*, term: int) -> None:
    """Let another one take over at once. Does nothing if the lead is lost already."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE drops_leadership SET until = now() - interval '1 second' WHERE id = 1 AND term = %s", [term]
        )
