"""The decisions of a tick: how far the counter may go, and how many may enter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from drops.lifecycle import Phase
from drops.models import Ceiling
from drops.waitingroom.gatekeeper import allocation, ceilings
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot
from drops.waitingroom.protocol import lua, tickets

ADMISSION_DELAY = timedelta(seconds=5)  # after the seal: by then every page has shown its place
RATE_DECAY = 0.8  # per tick, while fewer join


@dataclass
class JoinRate:
    """The leader's memory of a drop's counts from tick to tick.

    For a new leader, the rate of joins starts at 0.
    """

    entered_at: dict[int, int] = field(default_factory=dict)  # unix second → entries
    joined: int = 0
    joined_at: float = 0.0
    per_second: float = 0.0


def update_counter(snapshot: DropSnapshot, rate: JoinRate) -> None:
    """Copy Redis' counts to the checkpoint, or decide where counting resumes if they are lost.

    Raise the limit.
    """
    checkpoint, redis = snapshot.checkpoint, snapshot.redis
    checkpoint.tick += 1
    if redis is None:
        return
    if is_rewound(snapshot, redis):
        snapshot.repeated = range(redis.number("joined"), redis.number("counter"))
    snapshot.entered_at = rate.entered_at = recent_entries(redis, rate.entered_at)
    checkpoint.entered = max(checkpoint.entered, redis.number("entered"))
    joined = redis.number("counter")
    snapshot.is_redis_ahead = is_ahead_of_postgres(snapshot, redis)
    if needs_adoption(snapshot, redis):
        snapshot.adopt_from = joined = max(checkpoint.counter_limit, redis.number("limit"))
        checkpoint.epoch = max(checkpoint.epoch, redis.number("epoch")) + 1
        checkpoint.run_id = redis.run_id
    elif rate.joined_at and redis.now > rate.joined_at:
        per_second = (joined - rate.joined) / max(1.0, redis.now - rate.joined_at)
        rate.per_second = max(per_second, rate.per_second * RATE_DECAY)
    rate.joined, rate.joined_at = joined, redis.now
    checkpoint.joined = joined
    checkpoint.counter_limit = allocation.next_counter_limit(
        joined=joined,
        limit=checkpoint.counter_limit,
        per_second=rate.per_second,
        expected=snapshot.drop.expected_shoppers,
        may_join=snapshot.phase is not Phase.ANNOUNCED,
    )


def needs_adoption(snapshot: DropSnapshot, redis: lua.WaitingRoomState) -> bool:
    """Whether this Redis isn't what Postgres knows of: restarted, emptied, replaced, or ahead of Postgres."""
    checkpoint = snapshot.checkpoint
    return (
        not redis.adopted
        or redis.run_id != checkpoint.run_id
        or redis.number("epoch") != checkpoint.epoch
        or redis.fields.get("drop") != str(snapshot.drop.pk)
        or redis.number("limit") > checkpoint.counter_limit
        or snapshot.repeated is not None
    )


def is_rewound(snapshot: DropSnapshot, redis: lua.WaitingRoomState) -> bool:
    """Whether a server that is in use has gone back to data of its past: a machine's snapshot was restored.

    Its run id is the same, so it went on counting, from where it was: it has given indices a second time.
    """
    checkpoint = snapshot.checkpoint
    if not redis.adopted or redis.fields.get("drop") != str(snapshot.drop.pk):
        return False  # nobody has joined there
    is_same_epoch = redis.number("epoch") == checkpoint.epoch
    has_lost_counts = (
        redis.number("counter") < checkpoint.joined or redis.number("entered") < checkpoint.entered
    )
    return redis.number("tick") < checkpoint.published_tick or (is_same_epoch and has_lost_counts)


def is_ahead_of_postgres(snapshot: DropSnapshot, redis: lua.WaitingRoomState) -> bool:
    """Whether Redis has what Postgres has lost: it was restored from a backup, or failed over with a loss."""
    checkpoint = snapshot.checkpoint
    is_same_drop = redis.fields.get("drop") == str(snapshot.drop.pk)
    is_newer = redis.number("epoch") > checkpoint.epoch or redis.number("limit") > checkpoint.counter_limit
    return is_same_drop and is_newer


def recent_entries(redis: lua.WaitingRoomState, known: dict[int, int]) -> dict[int, int]:
    """Return the entries of the last two minutes by second, with the `known` ones that Redis has lost."""
    since = redis.now - tickets.PASS_SECONDS
    seconds = {second for second in (*redis.entered_at, *known) if second > since}
    return {second: max(redis.entered_at.get(second, 0), known.get(second, 0)) for second in seconds}


def decide(*, due: Sequence[DropSnapshot], every: Sequence[DropSnapshot], active: Sequence[Ceiling]) -> None:
    """Move allowance and cursor of the drops that admit shoppers, and record which ceiling rules."""
    admitting = [snapshot for snapshot in due if is_admitting(snapshot)]
    idle = [snapshot for snapshot in due if not is_admitting(snapshot)]
    for snapshot in idle:
        snapshot.checkpoint.reason = idle_reason(snapshot)
    if not admitting:
        return
    allocations = allocation.compute_allowances(
        demands=[demand(snapshot, active) for snapshot in admitting],
        shared=ceilings.shared(active=active, busy=sum(snapshot.holds.busy for snapshot in every)),
        waiting_elsewhere=sum(snapshot.waiting for snapshot in idle),
    )
    for snapshot, allocated in zip(admitting, allocations, strict=True):
        apply_allocation(snapshot, allocated)


def is_admitting(snapshot: DropSnapshot) -> bool:
    """Whether anybody may enter now: the drop is live, the shuffle is known, and Redis is reachable."""
    sealed_at = snapshot.drop.sealed_at
    if snapshot.phase is not Phase.LIVE or snapshot.redis is None or sealed_at is None:
        return False
    return snapshot.now >= sealed_at + ADMISSION_DELAY


def demand(snapshot: DropSnapshot, active: Sequence[Ceiling]) -> allocation.DropDemand:
    """Return what the allocation needs to know of a drop."""
    return allocation.DropDemand(
        joined=snapshot.checkpoint.joined,
        entered=snapshot.checkpoint.entered,
        waiting=snapshot.waiting,
        own=ceilings.own(active=active, snapshot=snapshot),
    )


def apply_allocation(snapshot: DropSnapshot, allocated: allocation.Allocation) -> None:
    """Set the checkpoint's allowance, and call the next places."""
    checkpoint = snapshot.checkpoint
    checkpoint.allowance, checkpoint.reason = allocated.allowance, allocated.bound.reason[:200]
    since = None
    if checkpoint.cursor_moved_at is not None:
        since = (snapshot.now - checkpoint.cursor_moved_at).total_seconds()
    cursor = allocation.next_cursor(
        cursor=checkpoint.cursor,
        joined=checkpoint.joined,
        entered=checkpoint.entered,
        allowance=checkpoint.allowance,
        since=since,
        show_rate=snapshot.calls.show_rate(cursor=checkpoint.cursor, entered=checkpoint.entered),
    )
    # Shoppers turned away while the allowance was used up get a head start: the call window passes before the
    # cursor moves again.
    if cursor > checkpoint.cursor or checkpoint.allowance <= checkpoint.entered:
        checkpoint.cursor_moved_at = snapshot.now
    if cursor > checkpoint.cursor:
        snapshot.calls.record(places=cursor - checkpoint.cursor, entered=checkpoint.entered)
    checkpoint.cursor = cursor


def idle_reason(snapshot: DropSnapshot) -> str:
    """Return why nobody may enter, as a sentence for ops."""
    if snapshot.redis is None:
        return "The waiting room's Redis is unreachable."
    if snapshot.phase is Phase.LIVE:
        return "Admission starts in a few seconds."
    if snapshot.phase is Phase.LOBBY:
        return "The drop is in its lobby."
    return f"The drop is {snapshot.phase.value}."
