"""What a plan is made from: figures only, read by drops.scaling.planning.read_inputs or made up by a test. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from drops import admission
from drops.scaling.planning.arrivals import DEFAULT, Curve

LINE = ("edge", "gate", "line redis")  # groups that everybody who comes reaches
SHOP = ("web", "hooks", "checkout", "capture", "database")  # groups that only who is let in reaches
GROUPS = ("edge", "gate", "web", "hooks", "checkout", "capture", "database", "line redis")


@dataclass(frozen=True, kw_only=True)
class Weight:
    """What one shopper asks of a group, in its own unit: requests, tasks, statements, commands."""

    group: str
    per_arrival: float = 0.0  # when they come: the page and its files, the join
    per_admitted: float = 0.0  # from the pass to the order page
    steady: float = 0.0  # a second, whoever comes: refreshed caches, ticks
    peak_per_shopper: float | None = None  # measured: the busiest second, for each who came
    cpu_seconds: float | None = None  # measured: of one of its units
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Part:
    """A target's share of a group, and what one instance can do of it in a second."""

    group: str
    percent: int
    per_second: float


@dataclass(frozen=True, kw_only=True)
class TargetInputs:
    """One target as set up, with what was learned of it. `current_size` is what it has without us: its baseline."""

    id: int
    name: str
    unit: str
    resource: str
    tier: int
    current_size: int
    ready_size: int | None
    floor: int
    ceiling: int
    ops_ceiling: int | None
    headroom_percent: int
    zones: int
    lead_seconds: int  # learned, or set
    lead_reason: str
    parts: tuple[Part, ...]
    connections: int = 0
    connection_limit: int = 0
    price_per_hour: Decimal | None = None
    price_reason: str = ""
    one_core: bool = False  # one instance is one process, and can't use more than a core
    stopped: str = ""  # why nothing is asked of it
    lowest_by_others: int = 0  # what other drops' leases want of it


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """All that a plan follows from."""

    slug: str
    now: datetime
    expected: int
    units: int  # that are for sale
    hold_seconds: int
    lobby_opens_at: datetime | None
    opens_at: datetime | None
    closes_at: datetime | None = None
    over: bool = False
    units_per_hold: float = 1.0
    checkout_seconds: float = 60.0  # from the hold to its end, on average
    checkout_reason: str = ""
    payments_per_second: float = 20.0
    checkout_slots: int = 200
    baseline_per_second: float = 25.0  # shoppers that the stack as it is can let in
    go_seconds: float = 600
    curve: Curve = DEFAULT
    weights: Mapping[str, Weight] = field(default_factory=dict)
    targets: tuple[TargetInputs, ...] = ()
    approved: Mapping[int, int] = field(default_factory=dict)  # {target id: size} beyond ops' ceilings
    connections_allowed: int = 0  # by the database as it is, without those kept for its superuser
    connections_elsewhere: int = 0  # of processes that belong to no target
    left_out: tuple[str, ...] = ()  # sentences: targets that can't be planned with
    polls: tuple[float, float, float] = (2.0, 30.0, 20.0)  # seconds at least, at most; wait ÷ so much
    poll_bytes: float = 700.0
    edge_request_price: Decimal | None = None  # of one request
    edge_byte_price: Decimal | None = None
    prices_as_of: str = ""

    @property
    def served(self) -> int:
        """How many are let in altogether: the gatekeeper lets in a fifth more than there are holds to be had."""
        return max(
            0,
            min(self.expected, ceil(self.units / max(1.0, self.units_per_hold) * admission.OVERBOOKING_FACTOR - 1e-9)),
        )

    @property
    def selling_per_second(self) -> float:
        """How many can buy a second, for as long as it goes on: by the payments, and by the checkout's slots."""
        return max(0.01, min(self.payments_per_second, self.checkout_slots / max(1.0, self.checkout_seconds)))

    @property
    def sells_out(self) -> bool:
        """Whether so many come that stock ends before the crowd does."""
        return self.expected * self.units_per_hold >= self.units

    @property
    def ends_at(self) -> datetime | None:
        """When the drop is likely to be over; None if it has no times."""
        if self.opens_at is None:
            return None
        if self.sells_out:
            seconds = self.served / self.selling_per_second + self.hold_seconds
            ends = self.opens_at + timedelta(seconds=seconds)
        else:
            ends = self.closes_at or self.opens_at + timedelta(days=1)
        return min(ends, self.closes_at) if self.closes_at else ends
