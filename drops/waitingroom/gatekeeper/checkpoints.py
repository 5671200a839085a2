"""What the leader commits: each one statement that renews the lead and does nothing if it is lost."""

from collections.abc import Sequence

from django.db import connection
from django.db.models.functions import Now

from drops.models import Checkpoint, Drop
from drops.waitingroom.gatekeeper import leader

# Column, its type, and how a commit combines it with what is there; what was promised to shoppers never goes back.
COLUMNS = {
    "tick": ("bigint", "{new}"),
    "epoch": ("integer", "{new}"),
    "run_id": ("text", "{new}"),
    "counter_limit": ("bigint", "greatest({old}, {new})"),
    "joined": ("bigint", "{new}"),
    "cursor": ("bigint", "greatest({old}, {new})"),
    "cursor_moved_at": ("timestamptz", "{new}"),
    "allowance": ("bigint", "{new}"),
    "entered": ("bigint", "{new}"),
    "reason": ("text", "{new}"),
}

COMMIT = f"""
    WITH {leader.RENEWAL}
    UPDATE drops_checkpoint c
    SET term = mine.term, at = now(), {
    ", ".join(f"{name} = {how.format(old=f'c.{name}', new=f't.{name}')}" for name, (_, how) in COLUMNS.items())
}
    FROM mine, unnest(%(drop)s::uuid[], {", ".join(f"%({name})s::{kind}[]" for name, (kind, _) in COLUMNS.items())})
        AS t (drop_id, {", ".join(COLUMNS)})
    WHERE c.drop_id = t.drop_id
"""

SEAL = f"""
    WITH {leader.RENEWAL}
    UPDATE drops_drop d SET sealed = %(n)s, sealed_at = now()
    FROM mine
    WHERE d.id = %(drop)s AND d.sealed IS NULL AND d.opens_at <= now()
      AND d.closed_at IS NULL AND d.cancelled_at IS NULL AND (d.closes_at IS NULL OR d.closes_at > now())
"""


class LeadershipLost(Exception):
    """Another gatekeeper leads; nothing was committed."""


def commit(*, term: int, checkpoints: Sequence[Checkpoint]) -> None:
    """Commit the checkpoints as decided and renew the lead. Raises: LeadLost."""
    values = {name: [getattr(checkpoint, name) for checkpoint in checkpoints] for name in COLUMNS}
    with connection.cursor() as cursor:
        cursor.execute(COMMIT, values | {"term": term, "drop": [checkpoint.drop_id for checkpoint in checkpoints]})
        if cursor.rowcount != len(checkpoints):
            raise LeadershipLost


def seal(*, term: int, drop: Drop, n: int) -> bool:
    """Commit how many indices the shuffle covers, if the drop has opened and is not over; False if nothing changed.

    `drop` is read again: another gatekeeper may have sealed it, or somebody closed it.
    """
    with connection.cursor() as cursor:
        cursor.execute(SEAL, {"term": term, "drop": drop.pk, "n": n})
        sealed: bool = cursor.rowcount == 1
    drop.refresh_from_db(fields=["sealed", "sealed_at", "closed_at", "cancelled_at"])
    return sealed


def mark_sold_out(*, drop: Drop) -> None:
    """Note when nothing was left. Does nothing if a unit came back meanwhile."""
    Drop.objects.with_nothing_left().filter(pk=drop.pk, sealed_at__isnull=False, sold_out_at=None).update(
        sold_out_at=Now()
    )


def clear_sold_out(*, drop: Drop) -> None:
    """Take that note away: a unit came back."""
    Drop.objects.with_something_left().filter(pk=drop.pk).update(sold_out_at=None)


def record_deleted_keys(*, term: int, checkpoint: Checkpoint) -> None:
    """Note that Redis has nothing of the drop any more."""
    Checkpoint.objects.filter(pk=checkpoint.pk, term__lte=term).update(run_id="", term=term)
