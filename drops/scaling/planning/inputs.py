"""The inputs of a plan: figures only, read by drops.scaling.planning.read_inputs or made by a test. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from drops import admission
from drops.scaling.planning.arrivals import DEFAULT_CURVE, ArrivalCurve

GROUPS = ("edge", "gate", "web", "hooks", "checkout", "capture", "database", "line redis")
LINE_GROUPS = (
    "edge",
    "gate",
    "line redis",
)  # groups that every shopper reaches; the others serve only those admitted


@dataclass(frozen=True, kw_only=True)
class Weight:
    """A shopper's work for a group, in the group's unit: requests, tasks, statements, commands."""

    group: str
    per_arrival: float = 0.0  # when they arrive: the page and its files, the join
    per_admitted: float = 0.0  # from the pass to the order page
    steady: float = 0.0  # per second, however many come: refreshed caches, ticks
    peak_per_shopper: float | None = None  # measured: requests in the busiest second ÷ shoppers who joined
    cpu_seconds: float | None = None  # measured: for one unit of work
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ShareInputs:
    """A target's share of a group's demand, and the throughput of one instance."""

    group: str
    percent: int
    per_second: float


@dataclass(frozen=True, kw_only=True)
class TargetInputs:
    """One target as it is set up, with what was learned about it."""

    id: int
    name: str
    unit: str
    resource: str
    tier: int
    current_size: int  # without any lease: its baseline
    ready_size: int | None
    floor: int
    ceiling: int
    ops_ceiling: int | None
    headroom_percent: int
    zones: int
    lead_seconds: int  # set by ops, or learned
    lead_reason: str
    shares: tuple[ShareInputs, ...]
    connections: int = 0
    connection_limit: int = 0
    price_per_hour: Decimal | None = None
    price_reason: str = ""
    is_single_process: bool = False  # one instance is one process, which can't use more than one core
    stopped_reason: str = ""  # why nothing is applied to it
    other_leases_size: int = 0  # the largest size that another drop's lease needs


@dataclass(frozen=True, kw_only=True)
class FixedInputs:
    """What ops said of a group that isn't scaled."""

    per_second: float | None  # that it can take; None: no limit
    reason: str


@dataclass(frozen=True, kw_only=True)
class PollRule:
    """How often waiting pages poll: every wait ÷ `wait_divisor` seconds, within these bounds."""

    min_seconds: float = 2.0
    max_seconds: float = 30.0
    wait_divisor: float = 20.0


@dataclass(frozen=True, kw_only=True)
class PlanInputs:
    """Everything that a plan follows from."""

    slug: str
    now: datetime
    expected: int
    units: int  # for sale
    hold_seconds: int
    lobby_opens_at: datetime | None
    opens_at: datetime | None
    closes_at: datetime | None = None
    is_over: bool = False
    units_per_hold: float = 1.0
    checkout_seconds: float = 60.0  # from the hold to the authorised payment, on average
    checkout_reason: str = ""
    payments_per_second: float = 20.0
    checkout_slots: int = 200
    baseline_per_second: float = 25.0  # shoppers that the stack can admit without any scaling
    go_seconds: float = 600
    curve: ArrivalCurve = DEFAULT_CURVE
    weights: Mapping[str, Weight] = field(default_factory=dict)
    targets: tuple[TargetInputs, ...] = ()
    fixed_groups: Mapping[str, FixedInputs] = field(default_factory=dict)  # by group
    approved_sizes: Mapping[int, int] = field(default_factory=dict)  # {target id: size} above ops' ceilings
    connections_allowed: int = 0  # by the database as it is, without those reserved for superusers
    connections_elsewhere: int = 0  # of processes that belong to no target
    left_out: tuple[str, ...] = ()  # a sentence for each target that can't be planned
    polls: PollRule = PollRule()
    poll_bytes: float = 700.0
    edge_request_price: Decimal | None = None  # of one request
    edge_byte_price: Decimal | None = None
    prices_as_of: str = ""

    @property
    def total_admitted(self) -> int:
        """How many shoppers are admitted in total.

        Some don't buy, so it is more than the holds that stock can fill.
        """
        holds = self.units / max(1.0, self.units_per_hold)
        # The small subtraction keeps a rounding error from adding a shopper.
        admitted = ceil(holds * admission.OVERBOOKING_FACTOR - 1e-9)
        return max(0, min(self.expected, admitted))

    @property
    def purchases_per_second(self) -> float:
        """How many shoppers can buy per second: limited by payments, and by the checkout's slots."""
        by_slots = self.checkout_slots / max(1.0, self.checkout_seconds)
        return max(0.01, min(self.payments_per_second, by_slots))

    @property
    def sells_out(self) -> bool:
        """Whether the expected shoppers can buy all of the stock."""
        return self.expected * self.units_per_hold >= self.units

    @property
    def ends_at(self) -> datetime | None:
        """When the drop is likely to be over; None if it has no times."""
        if self.opens_at is None:
            return None
        if self.sells_out:
            seconds = self.total_admitted / self.purchases_per_second + self.hold_seconds
            ends = self.opens_at + timedelta(seconds=seconds)
        else:
            ends = self.closes_at or self.opens_at + timedelta(days=1)
        return min(ends, self.closes_at) if self.closes_at else ends
