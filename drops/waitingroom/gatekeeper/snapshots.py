"""What a tick knows before it decides: the drops to look after, and what Postgres and Redis say of each."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models.functions import Now

from drops import lifecycle, stock
from drops.lifecycle import Phase
from drops.models import Checkpoint, Drop, Edition
from drops.waitingroom.protocol import lua, tickets
from shop.core.prepared import Read

PUBLISHED_AFTER_END = timedelta(minutes=10)  # so long a drop that is over is still told of
KEYS_KEPT_AFTER_END = timedelta(hours=1)
# Of times that are spread at random around a mean, 98 of 100 are below four times the mean (e⁻⁴ are above).
CHOOSING_MEANS, MIN_FIRST_HOLDS, MIN_CHOOSING_SECONDS = (
    4,
    20,
    20,
)  # times the mean; first holds until it counts; seconds at the least
COUNT_HOLDS = """
    SELECT drop_id, count(*), count(*) FILTER (WHERE state IN ('open', 'paying')),
           count(*) FILTER (WHERE entered_at > statement_timestamp() - choosing * interval '1 second'), min(choosing)
    FROM (
        SELECT drop_id, state, entered_at,
               CASE WHEN count(*) FILTER (WHERE nth = 1) OVER whole < %(fewest)s THEN %(good)s ELSE least(%(good)s,
                   greatest(%(shortest)s, %(means)s * avg(extract(epoch FROM created_at - entered_at))
                       FILTER (WHERE nth = 1) OVER whole)) END AS choosing
        FROM drops_hold WHERE drop_id = ANY(%(drops)s) AND state IN ('open', 'paying', 'allocated')
        WINDOW whole AS (PARTITION BY drop_id)
    ) held GROUP BY drop_id
"""


@dataclass(frozen=True, slots=True)
class HoldCounts:
    """Holds of a drop: `busy` ones are open or being paid for, `seated` ones came by an entry of the last `choosing`.

    `choosing` is how many seconds after entering shoppers of this drop place a hold, if they do: nearly all of them.
    """

    live: int = 0
    busy: int = 0
    seated: int = 0
    choosing: float = tickets.PASS_SECONDS


@dataclass
class DropSnapshot:
    """A drop in a tick: its row, its checkpoint (as committed, then as decided), and what was seen of it."""

    drop: Drop
    checkpoint: Checkpoint
    phase: Phase
    now: datetime
    editions: list[Edition] = field(default_factory=list)  # with their variants
    seen: lua.WaitingRoomState | None = None  # None: Redis doesn't answer
    entered_at: dict[int, int] = field(default_factory=dict)  # unix second → entries, with those that Redis has lost
    adopt_from: int | None = None  # the counter to go on at, if the Redis server is to be adopted
    counts: dict[int, stock.UnitCounts] = field(default_factory=dict)
    holds: HoldCounts = HoldCounts()

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
        return max(0, self.entered_within(self.holds.choosing) - self.holds.seated)

    def entered_within(self, seconds: float) -> int:
        """How many entered in the last `seconds` (120 at most), by Redis's clock, which wrote them."""
        since = self.seen.now - seconds if self.seen else self.now.timestamp() - seconds
        return sum(count for at, count in self.entered_at.items() if at > since)


def read_drops() -> list[DropSnapshot]:
    """Read the drops to look after: those announced, unless they were over ten minutes ago. One query."""
    return [take(row, vars(row)["clock"]) for row in WATCHED.all()]


def take(drop: Drop, now: datetime) -> DropSnapshot:
    """Begin with one drop as read at `now`."""
    phase = lifecycle.phase(drop=drop, now=now)
    return DropSnapshot(drop=drop, checkpoint=get_checkpoint(drop), phase=phase, now=now)


WATCHED = Read(
    Drop.objects.filter(announced_at__isnull=False)
    .exclude(pk__in=Drop.objects.ended(ago=PUBLISHED_AFTER_END).values("pk"))
    .with_state()
    .select_related("product", "checkpoint")
    .order_by("opens_at", "pk")
    .annotate(clock=Now())
)


def get_checkpoint(drop: Drop) -> Checkpoint:
    """Give the drop's checkpoint, made now if its announcement made none."""
    try:
        return drop.checkpoint
    except Checkpoint.DoesNotExist:
        Checkpoint.objects.bulk_create([Checkpoint(drop=drop)], ignore_conflicts=True)
        return Checkpoint.objects.get(pk=drop.pk)


def deletable_checkpoints() -> list[Checkpoint]:
    """Read the checkpoints of drops that were over an hour ago and still have keys in Redis. One query."""
    over = Drop.objects.ended(ago=KEYS_KEPT_AFTER_END)
    return list(Checkpoint.objects.filter(drop__in=over).exclude(run_id="").select_related("drop"))


def count_stock_and_holds(*, due: Sequence[DropSnapshot], every: Sequence[DropSnapshot]) -> None:
    """Add the stock of the drops that are due, and the holds of every drop: they share the checkout. Two queries."""
    counts = stock.counts_of(drops=[row.drop for row in due])
    for row in due:
        row.counts = {edition.pk: counts[edition.pk] for edition in row.editions if edition.pk in counts}
    holds = count_holds([row.drop for row in every if row.drop.sealed_at])
    for row in every:
        row.holds = holds.get(row.drop.pk, HoldCounts())


def count_holds(drops: Sequence[Drop]) -> dict[UUID, HoldCounts]:
    """Count live holds by drop id."""
    if not drops:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT_HOLDS,
            {
                "drops": [drop.pk for drop in drops],
                "good": tickets.PASS_SECONDS,
                "fewest": MIN_FIRST_HOLDS,
                "shortest": MIN_CHOOSING_SECONDS,
                "means": CHOOSING_MEANS,
            },
        )
        return {
            drop: HoldCounts(live=live, busy=busy, seated=seated, choosing=float(choosing))
            for drop, live, busy, seated, choosing in cursor.fetchall()
        }
