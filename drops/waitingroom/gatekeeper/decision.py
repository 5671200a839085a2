"""What one tick makes of what it sees: where the counter stands and may go, and who may enter."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils.translation import gettext as _

from drops import admission
from drops.lifecycle import Phase
from drops.waitingroom.gatekeeper import allocation, ceilings
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot
from drops.waitingroom.protocol import lua, tickets

ADMISSION_DELAY = timedelta(seconds=5)  # the seal: pages have drawn everybody's place by then
RATE_DECAY = 0.8  # of the rate of joins, per tick, when fewer come


@dataclass
class JoinRate:
    """What the leader remembers of a line from tick to tick; without it, the rate of joins starts at nought."""

    entered_at: dict[int, int] = field(default_factory=dict)  # unix second → entries
    joined: int = 0
    joined_at: float = 0.0
    per_second: float = 0.0


def update_counter(row: DropSnapshot, count: JoinRate) -> None:
    """Take over what Redis counted, or say where it goes on if it lost count, and lease it the next ten seconds."""
    checkpoint, seen = row.checkpoint, row.seen
    checkpoint.tick += 1
    if seen is None:
        return
    row.entered_at = count.entered_at = recent_entries(seen, count.entered_at)
    joined = seen.number("counter")
    checkpoint.entered = max(checkpoint.entered, seen.number("entered"))
    if needs_adoption(row, seen):
        row.adopt_from = joined = max(checkpoint.counter_limit, seen.number("limit"))
        checkpoint.epoch = max(checkpoint.epoch, seen.number("epoch")) + 1
        checkpoint.run_id = seen.run_id
    elif count.joined_at and seen.now > count.joined_at:
        now = (joined - count.joined) / max(1.0, seen.now - count.joined_at)
        count.per_second = max(now, count.per_second * RATE_DECAY)
    count.joined, count.joined_at = joined, seen.now
    checkpoint.joined = joined
    checkpoint.counter_limit = allocation.next_counter_limit(
        joined=joined, limit=checkpoint.counter_limit, per_second=count.per_second
    )


def needs_adoption(row: DropSnapshot, seen: lua.WaitingRoomState) -> bool:
    """Say whether this Redis is not what Postgres knows of: restarted, emptied, another one, or ahead of a restore."""
    checkpoint = row.checkpoint
    return (
        not seen.adopted
        or seen.run_id != checkpoint.run_id
        or seen.number("epoch") != checkpoint.epoch
        or seen.fields.get("drop") != str(row.drop.pk)
        or seen.number("limit") > checkpoint.counter_limit
    )


def recent_entries(seen: lua.WaitingRoomState, known: dict[int, int]) -> dict[int, int]:
    """Give the entries of the last two minutes by second, those included that Redis has lost since."""
    since = seen.now - tickets.PASS_SECONDS
    seconds = {second for second in (*seen.entered_at, *known) if second > since}
    return {second: max(seen.entered_at.get(second, 0), known.get(second, 0)) for second in seconds}


def decide(due: Sequence[DropSnapshot], every: Sequence[DropSnapshot]) -> None:
    """Move allowance and cursor of the drops that let shoppers in, and note what bounds them."""
    admitting = [row for row in due if is_admitting(row)]
    for row in due:
        if row not in admitting:
            row.checkpoint.reason = idle_reason(row)
    if not admitting:
        return
    standing = list(admission.ceilings())
    verdicts = allocation.compute_allowances(
        lines=[
            allocation.DropDemand(
                joined=row.checkpoint.joined,
                entered=row.checkpoint.entered,
                waiting=row.waiting,
                own=ceilings.own(standing=standing, row=row),
            )
            for row in admitting
        ],
        shared=ceilings.shared(standing=standing, busy=sum(row.holds.busy for row in every)),
        elsewhere=sum(row.waiting for row in due if row not in admitting),
    )
    for row, verdict in zip(admitting, verdicts, strict=True):
        apply_allocation(row, verdict)


def is_admitting(row: DropSnapshot) -> bool:
    """Say whether anybody may be let in now: live, the shuffle known to everybody, Redis there."""
    sealed_at = row.drop.sealed_at
    known = sealed_at is not None and row.now >= sealed_at + ADMISSION_DELAY
    return row.phase is Phase.LIVE and known and row.seen is not None


def apply_allocation(row: DropSnapshot, verdict: allocation.Allocation) -> None:
    """Note the allowance and call the next places."""
    checkpoint = row.checkpoint
    checkpoint.allowance, checkpoint.reason = verdict.allowance, verdict.bound.reason[:200]
    moved = checkpoint.cursor_moved_at
    cursor = allocation.next_cursor(
        cursor=checkpoint.cursor,
        joined=checkpoint.joined,
        entered=checkpoint.entered,
        allowance=checkpoint.allowance,
        since=(row.now - moved).total_seconds() if moved else None,
    )
    # Who came while the allowance was used up was told to come back; the window lets them in before newcomers.
    if cursor > checkpoint.cursor or checkpoint.allowance <= checkpoint.entered:
        checkpoint.cursor_moved_at = row.now
    checkpoint.cursor = cursor


def idle_reason(row: DropSnapshot) -> str:
    """Say why nobody is let in."""
    if row.seen is None:
        return _("The line's Redis doesn't answer.")
    if row.phase is Phase.LIVE:
        return _("Letting in begins in a moment.")
    return _("The drop is %(phase)s.") % {"phase": row.phase.value}
