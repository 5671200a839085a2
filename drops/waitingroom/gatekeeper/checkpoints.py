"""The leader's commits. Each statement renews the lead, and changes nothing if it is lost."""

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from drops.models import Checkpoint, Drop
from drops.waitingroom.gatekeeper import leader
from drops.waitingroom.gatekeeper.leader import LeadershipLost

FIELDS = (
    "tick",
    "published_tick",
    "epoch",
    "run_id",
    "counter_limit",
    "joined",
    "cursor",
    "cursor_moved_at",
    "allowance",
    "entered",
    "reason",
)

# SQL, as the ORM can't update many rows, each with its own values and greatest(), behind a condition on
# another table. `counter_limit` and `cursor` were promised to shoppers, so they never go back. The
# allowance may fall, to what has entered.
COMMIT = f"""
    WITH {leader.RENEWAL}
    UPDATE drops_checkpoint c
    SET term = leader.term,
        at = now(),
        tick = decided.tick,
        published_tick = decided.published_tick,
        epoch = decided.epoch,
        run_id = decided.run_id,
        counter_limit = greatest(c.counter_limit, decided.counter_limit),
        joined = decided.joined,
        cursor = greatest(c.cursor, decided.cursor),
        cursor_moved_at = decided.cursor_moved_at,
        allowance = greatest(decided.allowance, decided.entered),
        entered = decided.entered,
        reason = decided.reason
    FROM leader, unnest(
        %(drop)s::uuid[],
        %(tick)s::bigint[],
        %(published_tick)s::bigint[],
        %(epoch)s::integer[],
        %(run_id)s::text[],
        %(counter_limit)s::bigint[],
        %(joined)s::bigint[],
        %(cursor)s::bigint[],
        %(cursor_moved_at)s::timestamptz[],
        %(allowance)s::bigint[],
        %(entered)s::bigint[],
        %(reason)s::text[]
    ) AS decided (
        drop_id, tick, published_tick, epoch, run_id, counter_limit, joined, cursor, cursor_moved_at, allowance,
        entered, reason
    )
    WHERE c.drop_id = decided.drop_id
"""

SEAL = f"""
    WITH {leader.RENEWAL}
    UPDATE drops_drop d SET sealed = %(n)s, sealed_at = now(), secret = %(secret)s
    FROM leader
    WHERE d.id = %(drop)s AND d.sealed IS NULL AND d.opens_at <= now()
      AND d.closed_at IS NULL AND d.cancelled_at IS NULL AND (d.closes_at IS NULL OR d.closes_at > now())
"""


def commit(*, term: int, checkpoints: Sequence[Checkpoint]) -> None:
    """Commit the checkpoints as decided and renew the lead. Raises: LeadershipLost."""
    values: dict[str, Any] = {
        name: [getattr(checkpoint, name) for checkpoint in checkpoints] for name in FIELDS
    }
    values |= {"term": term, "drop": [checkpoint.drop_id for checkpoint in checkpoints]}
    with connection.cursor() as cursor:
        cursor.execute(COMMIT, values)
        if cursor.rowcount != len(checkpoints):
            raise LeadershipLost


def seal(*, term: int, drop: Drop, n: int, secret: bytes) -> bool:
    """Commit how many indices the shuffle covers, and its secret, if the drop is open. Return whether it was.

    `drop` is refreshed in any case: another gatekeeper may have sealed it, or a person closed it.
    """
    with connection.cursor() as cursor:
        cursor.execute(SEAL, {"term": term, "drop": drop.pk, "n": n, "secret": secret})
        sealed: bool = cursor.rowcount == 1
    drop.refresh_from_db(fields=["sealed", "sealed_at", "secret", "closed_at", "cancelled_at"])
    return sealed


def mark_sold_out(*, drop: Drop) -> None:
    """Record when nothing was left. Does nothing if a unit has come back since."""
    Drop.objects.with_nothing_left().filter(pk=drop.pk, sealed_at__isnull=False, sold_out_at=None).update(
        sold_out_at=Now()
    )


def clear_sold_out(*, drop: Drop) -> None:
    """Remove that record, if a unit has come back."""
    Drop.objects.with_something_left().filter(pk=drop.pk).update(sold_out_at=None)


def record_deleted_keys(*, term: int, checkpoint: Checkpoint) -> None:
    """Record that Redis no longer holds anything of the drop."""
    Checkpoint.objects.filter(pk=checkpoint.pk, term__lte=term).update(run_id="", term=term)
