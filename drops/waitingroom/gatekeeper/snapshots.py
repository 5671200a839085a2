"""Snapshots of drops: what Postgres and Redis hold of each, read before a tick decides."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from drops import lifecycle, stock
from drops.lifecycle import Phase
from drops.models import Checkpoint, Drop, Edition
from drops.waitingroom.gatekeeper.allocation import RecentCalls
from drops.waitingroom.protocol import lua, tickets
from shop.core import sql
from shop.models import Product

PUBLISHED_AFTER_END = timedelta(minutes=10)
KEYS_KEPT_AFTER_END = timedelta(hours=1)

# How long shoppers of a drop take from entering to their hold: CHOOSING_MEANS times the mean. Of times that
# are spread at random around a mean, 98 of 100 are below four times the mean (e⁻⁴ are above).
CHOOSING_MEANS = 4
MIN_CHOOSING_SECONDS = 20
MIN_FIRST_HOLDS = 20  # with fewer first holds the mean isn't used: a pass counts for its whole time

# SQL, as the ORM can't aggregate over an aggregate: each hold is compared with the average of its drop.
COUNT_HOLDS = """
    SELECT drop_id,
           count(*),
           count(*) FILTER (WHERE state IN ('open', 'paying')),
           count(*) FILTER (WHERE entered_at > statement_timestamp() - choosing * interval '1 second'),
           min(choosing)
    FROM (
        SELECT drop_id, state, entered_at,
               CASE WHEN count(*) FILTER (WHERE nth = 1) OVER whole < %(min_first_holds)s THEN %(pass_seconds)s
                    ELSE least(
                        %(pass_seconds)s,
                        greatest(
                            %(min_seconds)s,
                            %(means)s * avg(extract(epoch FROM created_at - entered_at))
                                FILTER (WHERE nth = 1) OVER whole
                        )
                    )
               END AS choosing
        FROM drops_hold
        WHERE drop_id = ANY(%(drops)s) AND state IN ('open', 'paying', 'allocated')
        WINDOW whole AS (PARTITION BY drop_id)
    ) held
    GROUP BY drop_id
"""


@dataclass(frozen=True, slots=True)
class HoldCounts:
    """Holds of a drop. `busy` ones are open or being paid for.

    `choosing_seconds` is the time after entering within which nearly all shoppers of this drop place a hold,
    if they place one. `recent` holds belong to entries of that time.
    """

    live: int = 0
    busy: int = 0
    recent: int = 0
    choosing_seconds: float = tickets.PASS_SECONDS


@dataclass
class DropSnapshot:
    """A drop in a tick: its row, its checkpoint (first as committed, then as decided), and its counts."""

    drop: Drop
    checkpoint: Checkpoint
    phase: Phase
    now: datetime
    editions: list[Edition] = field(default_factory=list)  # with their variants
    redis: lua.WaitingRoomState | None = None  # None: Redis is unreachable
    entered_at: dict[int, int] = field(
        default_factory=dict
    )  # unix second → entries, with those lost by Redis
    adopt_from: int | None = None  # where counting resumes, if the Redis server is to be adopted
    pace: float | None = None  # places called per second; None: not measured, see pace.py
    is_redis_ahead: bool = False  # of Postgres: see decision.is_ahead_of_postgres
    repeated: range | None = None  # indices that may have been given twice: see decision.is_rewound
    counts: dict[int, stock.UnitCounts] = field(default_factory=dict)  # by edition id
    holds: HoldCounts = HoldCounts()
    calls: RecentCalls = field(default_factory=RecentCalls)

    @property
    def free(self) -> int:
        """Units of all editions that anybody may take."""
        return sum(count.free for count in self.counts.values())

    @property
    def held(self) -> int:
        """Units of all editions that may come back."""
        return sum(count.held for count in self.counts.values())

    @property
    def taken(self) -> int:
        """Units of all editions in live holds."""
        return sum(count.held + count.sold for count in self.counts.values())

    @property
    def waiting(self) -> int:
        """Passes without a hold, as long as one may still be expected of them. See docs/decisions/0006."""
        return max(0, self.entered_within(self.holds.choosing_seconds) - self.holds.recent)

    def entered_within(self, seconds: float) -> int:
        """Return how many entered in the last `seconds` (at most 120), by the clock of Redis."""
        now = self.now.timestamp()
        if self.redis is not None:
            now = self.redis.now
        return sum(count for at, count in self.entered_at.items() if at > now - seconds)


def read_drops() -> list[DropSnapshot]:
    """Return a snapshot of every announced drop that hasn't ended, or ended a few minutes ago. One query.

    One that is cancelled after it ended is among them again, as long as Redis has its waiting room.
    """
    # By hand, as writing this query took the ORM half of a tick's CPU: 2.1 of 4.4 ms, against 0.1 ms.
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT statement_timestamp(),
                   EXISTS (SELECT FROM drops_pause WHERE drop_id = d.id AND ended_at IS NULL),
                   EXISTS (SELECT FROM drops_unit u JOIN drops_edition e ON e.id = u.edition_id
                           WHERE e.drop_id = d.id AND u.hold_id IS NULL AND u.withheld_at IS NULL)
                   OR EXISTS (SELECT FROM drops_hold WHERE drop_id = d.id AND state IN ('open', 'paying')),
                   {sql.columns(Drop, "d")}, {sql.columns(Product, "p")}, {sql.columns(Checkpoint, "c")}
            FROM drops_drop d
            JOIN shop_product p ON p.id = d.product_id
            LEFT JOIN drops_checkpoint c ON c.drop_id = d.id
            WHERE d.announced_at IS NOT NULL
              AND ((least(d.sold_out_at, d.closed_at, d.cancelled_at, d.closes_at)
                    <= statement_timestamp() - %(after_end)s * interval '1 second') IS NOT TRUE
                   OR (d.cancelled_at > statement_timestamp() - %(after_end)s * interval '1 second'
                       AND c.run_id <> ''))
            ORDER BY d.opens_at, d.id
            """,
            {"after_end": PUBLISHED_AFTER_END.total_seconds()},
        )
        return [read_row(row) for row in cursor.fetchall()]


def read_row(row: Sequence[Any]) -> DropSnapshot:
    """Return the snapshot of a row that read_drops selects."""
    now, paused, anything_left, *values = row
    product_at = len(sql.fields(Drop))
    checkpoint_at = product_at + len(sql.fields(Product))
    drop = sql.from_row(Drop, values[:product_at])
    drop.product = sql.from_row(Product, values[product_at:checkpoint_at])
    drop.paused, drop.anything_left = paused, anything_left
    if values[checkpoint_at] is not None:  # the checkpoint's key
        drop.checkpoint = sql.from_row(Checkpoint, values[checkpoint_at:])
    return take(drop, now)


def take(drop: Drop, now: datetime) -> DropSnapshot:
    """Return the snapshot of a drop as read at `now`, without stock, holds and Redis."""
    phase = lifecycle.phase(drop=drop, now=now)
    return DropSnapshot(drop=drop, checkpoint=get_checkpoint(drop), phase=phase, now=now)


def get_checkpoint(drop: Drop) -> Checkpoint:
    """Return the drop's checkpoint, created now if the announcement created none."""
    try:
        return drop.checkpoint
    except Checkpoint.DoesNotExist:
        Checkpoint.objects.bulk_create([Checkpoint(drop=drop)], ignore_conflicts=True)
        return Checkpoint.objects.get(pk=drop.pk)


def deletable_checkpoints() -> list[Checkpoint]:
    """Return the checkpoints of drops that ended an hour ago and still have keys in Redis. One query."""
    ended = Drop.objects.ended(ago=KEYS_KEPT_AFTER_END)
    return list(Checkpoint.objects.filter(drop__in=ended).exclude(run_id="").select_related("drop"))


def count_stock_and_holds(*, due: Sequence[DropSnapshot], every: Sequence[DropSnapshot]) -> None:
    """Add the stock of the drops that are due, and the holds of every drop: they share the checkout.

    Two queries.
    """
    counts = stock.counts_of(drops=[snapshot.drop for snapshot in due])
    for snapshot in due:
        snapshot.counts = {
            edition.pk: counts[edition.pk] for edition in snapshot.editions if edition.pk in counts
        }
    holds = count_holds([snapshot.drop for snapshot in every if snapshot.drop.sealed_at])
    for snapshot in every:
        snapshot.holds = holds.get(snapshot.drop.pk, HoldCounts())


def count_holds(drops: Sequence[Drop]) -> dict[UUID, HoldCounts]:
    """Return the counts of live holds by drop id."""
    if not drops:
        return {}
    values: dict[str, Any] = {
        "drops": [drop.pk for drop in drops],
        "pass_seconds": tickets.PASS_SECONDS,
        "min_first_holds": MIN_FIRST_HOLDS,
        "min_seconds": MIN_CHOOSING_SECONDS,
        "means": CHOOSING_MEANS,
    }
    with connection.cursor() as cursor:
        cursor.execute(COUNT_HOLDS, values)
        return {
            drop: HoldCounts(live=live, busy=busy, recent=recent, choosing_seconds=float(choosing))
            for drop, live, busy, recent, choosing in cursor.fetchall()
        }
