"""The allowance and the cursor of one tick, as pure arithmetic.

allowance = entered + room            room = max(0, min(ceilings) − waiting passes)
            It falls with a lowered ceiling: nobody else enters, and no pass is taken back.
cursor    = cursor + as many places as use up the allowance, a call window after the last step, never back

A ceiling is a number of shoppers who may be in with a pass and without a hold. Ceilings of all drops together
(checkout slots, payment rate, ready capacity) are divided among the drops by what each can use.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from drops import admission

CALL_WINDOW_SECONDS = 3.0  # shoppers who are called have this long before more are called in their stead
MIN_SHOW_RATE = 1 / 32  # the smallest assumed share of called shoppers who enter: steps grow no further
CALL_DECAY = 0.5  # how much of each call still counts at the next one
PRIOR_PLACES = 20  # as many places of the share so far keep a few small calls from deciding
COUNTER_LEASE_SECONDS = 5  # of joins at the present rate, once the expected shoppers have joined
MIN_LEASED_INDICES = 1000  # or the expected shoppers, if those are fewer


@dataclass(frozen=True, slots=True)
class Bound:
    """A ceiling's present value, with its reason as a sentence for ops."""

    shoppers: int
    reason: str


@dataclass(frozen=True, slots=True)
class DropDemand:
    """A drop at a tick. `waiting` passes may still become holds; `own` ceilings bind this drop alone."""

    joined: int
    entered: int
    waiting: int
    own: tuple[Bound, ...]


@dataclass(slots=True)
class RecentCalls:
    """The leader's memory of a drop's last calls, the older the lighter. A new leader starts without any.

    Tickets that nobody stands behind come in runs: joins by a script, or a gap after a loss. The share of all
    called shoppers would notice a run too late, and its end as well.
    """

    places: float = 0.0
    came: float = 0.0
    entered: int = 0  # in all, at the last call

    def show_rate(self, *, cursor: int, entered: int) -> float:
        """Return the share of called shoppers to expect of the next call."""
        if not cursor:
            return 1.0
        so_far = entered / cursor
        if not self.places:
            share = so_far
        else:
            came = self.came + entered - self.entered
            share = (came + PRIOR_PLACES * so_far) / (self.places + PRIOR_PLACES)
        return min(1.0, max(MIN_SHOW_RATE, share))

    def record(self, *, places: int, entered: int) -> None:
        """Record a call of so many places, made when `entered` shoppers had entered in all."""
        if self.places:
            self.came = CALL_DECAY * (self.came + entered - self.entered)
        self.places = CALL_DECAY * self.places + places
        self.entered = entered


@dataclass(frozen=True, slots=True)
class Allocation:
    """The total that may have entered a drop, and the ceiling that decided it."""

    allowance: int
    bound: Bound


def compute_allowances(
    *, demands: Sequence[DropDemand], shared: Sequence[Bound], waiting_elsewhere: int = 0
) -> list[Allocation]:
    """Return an allocation for each drop. `shared` and each drop's `own` have one ceiling at least.

    `waiting_elsewhere` counts the passes of drops that admit nobody at the moment.
    """
    lowest_shared = lowest(shared)
    waiting = waiting_elsewhere + sum(demand.waiting for demand in demands)
    own = [lowest(demand.own) for demand in demands]
    rooms, wanted = [], []
    for demand, bound in zip(demands, own, strict=True):
        room = max(0, bound.shoppers - demand.waiting)
        rooms.append(room)
        wanted.append(min(room, max(0, demand.joined - demand.entered)))
    shares = divide_fairly(max(0, lowest_shared.shoppers - waiting), wanted)
    allocations = []
    for demand, bound, room, share in zip(demands, own, rooms, shares, strict=True):
        if room <= share:
            allocations.append(Allocation(demand.entered + room, bound))
        else:
            allocations.append(Allocation(demand.entered + share, lowest_shared))
    return allocations


def lowest(bounds: Sequence[Bound]) -> Bound:
    """Return the ceiling that rules."""
    return min(bounds, key=lambda bound: bound.shoppers)


def divide_fairly(total: int, wanted: Sequence[int]) -> list[int]:
    """Divide a total: small wishes are met, larger ones get equal shares, a surplus is spread over all."""
    shares = [0] * len(wanted)
    left = total
    smallest_first = sorted(range(len(wanted)), key=lambda i: wanted[i])
    for done, i in enumerate(smallest_first):
        shares[i] = min(wanted[i], left // (len(wanted) - done))
        left -= shares[i]
    for i in range(len(wanted)):
        shares[i] += left // len(wanted)
        if i < left % len(wanted):
            shares[i] += 1
    return shares


def shoppers_for_stock(*, free: int, taken: int, holds: int) -> int:
    """Return how many shoppers the free units are enough for.

    Each wants as many as an average hold has so far.
    """
    units_per_hold = 1.0
    if holds:
        units_per_hold = max(1.0, taken / holds)
    # The subtraction undoes rounding up of a float that is a hair too large: 55 × 1.2 is 66.
    return ceil(free * admission.OVERBOOKING_FACTOR / units_per_hold - 1e-9)


def next_cursor(
    *, cursor: int, joined: int, entered: int, allowance: int, since: float | None, show_rate: float
) -> int:
    """Return the new cursor.

    `since`: seconds since it last moved or the allowance was last used up, None for never.

    Only some of the called shoppers enter, and some tickets are nobody's: steps grow by the share that is
    expected to enter.
    """
    unused = allowance - entered
    if unused <= 0 or (since is not None and since < CALL_WINDOW_SECONDS):
        return cursor
    return max(cursor, min(joined, cursor + ceil(unused / show_rate)))


def next_counter_limit(
    *, joined: int, limit: int, per_second: float, expected: int | None, may_join: bool
) -> int:
    """Return the counter's new limit, never below the committed `limit`.

    If Redis loses the counter, every index between `joined` and the limit belongs to nobody. So before the
    lobby little is leased, then no more than the expected shoppers, and beyond those some seconds of joins,
    renewed when half is used. `expected` is None if unknown.
    """
    spare = MIN_LEASED_INDICES
    if expected is not None:
        spare = min(spare, expected)
    if not may_join:
        return max(limit, spare)
    if expected is not None and joined < expected:
        return max(limit, expected)
    lease = max(spare, ceil(per_second * COUNTER_LEASE_SECONDS))
    if limit - joined > lease // 2:
        return limit
    return joined + lease
