"""How many may enter, and who: pure arithmetic of one tick.

allowance = entered + room            room = max(0, min(ceilings) − waiting passes)
cursor    = cursor + what is needed for the allowance to be used, a call window after the last step, never back

A ceiling is a count of shoppers who may be in with a pass and without a hold. Ceilings of all drops together (slots of
the checkout, payments, READY capacity) are divided among the drops by what each can use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from drops import admission

CALL_WINDOW_SECONDS = 3.0  # those called have so long before more are called in their stead
MIN_SHOW_RATE = 1 / 16  # of those called: below that, steps grow no further
COUNTER_LEASE_SECONDS = 10
MIN_LEASED_INDICES = 1000  # indices


@dataclass(frozen=True, slots=True)
class Bound:
    """One ceiling, and why it stands, in words for ops."""

    shoppers: int
    reason: str


@dataclass(frozen=True, slots=True)
class DropDemand:
    """A drop's line at a tick. `waiting` passes may become holds; `own` ceilings bind this drop alone."""

    joined: int
    entered: int
    waiting: int
    own: tuple[Bound, ...]


@dataclass(frozen=True, slots=True)
class Allocation:
    """How many may have entered in all, and which ceiling says so."""

    allowance: int
    bound: Bound


def compute_allowances(*, lines: Sequence[DropDemand], shared: Sequence[Bound], elsewhere: int = 0) -> list[Allocation]:
    """Give each line its allowance. `shared` has one ceiling at least, `own` of each line too.

    `elsewhere` passes wait in drops that let nobody in now.
    """
    least = min(shared, key=lambda bound: bound.shoppers)
    total = max(0, least.shoppers - elsewhere - sum(line.waiting for line in lines))
    own = [min(line.own, key=lambda bound: bound.shoppers) for line in lines]
    rooms = [max(0, bound.shoppers - line.waiting) for bound, line in zip(own, lines, strict=True)]
    wanted = [min(room, max(0, line.joined - line.entered)) for room, line in zip(rooms, lines, strict=True)]
    return [
        Allocation(line.entered + min(room, share), bound if room <= share else least)
        for line, room, bound, share in zip(lines, rooms, own, divide_fairly(total, wanted), strict=True)
    ]


def divide_fairly(total: int, wanted: Sequence[int]) -> list[int]:
    """Divide a count so that who wants little gets it all and the others get the same; what is left over is spread."""
    shares = [0] * len(wanted)
    left = total
    for done, i in enumerate(sorted(range(len(wanted)), key=lambda i: wanted[i])):
        shares[i] = min(wanted[i], left // (len(wanted) - done))
        left -= shares[i]
    for i in range(len(wanted)):
        shares[i] += left // len(wanted) + (i < left % len(wanted))
    return shares


def shoppers_for_stock(*, free: int, taken: int, holds: int) -> int:
    """Shoppers that the free units are good for. `taken` units are in `holds` holds: so many does a hold want."""
    each = max(1.0, taken / holds) if holds else 1.0
    return ceil(free * admission.OVERBOOKING_FACTOR / each - 1e-9)  # 55 × 1.2 is 66, whatever floats say


def next_cursor(*, cursor: int, joined: int, entered: int, allowance: int, since: float | None) -> int:
    """Move the cursor on. `since` is the time since it last moved or the allowance was last used up; None: never.

    Only a part of those called comes, and after a loss some indices were never given: steps grow by what came so far.
    """
    unused = allowance - entered
    if unused <= 0 or (since is not None and since < CALL_WINDOW_SECONDS):
        return cursor
    coming = min(1.0, max(MIN_SHOW_RATE, entered / cursor)) if cursor else 1.0
    return max(cursor, min(joined, cursor + ceil(unused / coming)))


def next_counter_limit(*, joined: int, limit: int, per_second: float) -> int:
    """Say how far the counter may go, given what is committed: ten seconds of joins ahead of it."""
    return max(limit, joined + max(MIN_LEASED_INDICES, ceil(per_second * COUNTER_LEASE_SECONDS)))
