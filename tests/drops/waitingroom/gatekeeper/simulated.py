"""A drop in simulated time: the gatekeeper's real decisions, and a line with tickets that are nobody's."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

from drops.lifecycle import Phase
from drops.models import Ceiling, Checkpoint, Drop
from drops.stock import UnitCounts
from drops.waitingroom.gatekeeper import decision, snapshots
from drops.waitingroom.gatekeeper.allocation import RecentCalls
from drops.waitingroom.gatekeeper.pace import PaceMeter, measure
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot, HoldCounts
from drops.waitingroom.protocol import lua, tickets

START = datetime(2026, 12, 1, 12, tzinfo=UTC)
MAX_TICKS = 20_000
PAYMENTS_AHEAD = 200  # the payment ceiling


@dataclass(frozen=True)
class Shopper:
    """How long a shopper takes for each step, in seconds."""

    seeing: int  # from being called to pressing the button
    choosing: int  # from entering to the hold
    paying: int  # from the hold to the payment


Line = Sequence[Shopper | None]  # who stands at each place; None: nobody


@dataclass
class SimulatedDrop:
    """A live drop of one edition, whose shoppers all pay, if they get a hold."""

    line: Line
    units: int
    calls: RecentCalls = field(default_factory=RecentCalls)
    tick: int = 0
    entered: int = 0
    taken: int = 0  # open holds
    sold: int = 0
    called: int = 0  # places whose shoppers know
    pace: float | None = None
    entered_at: Counter[int] = field(default_factory=Counter)  # second → how many
    held_entries: list[int] = field(default_factory=list)  # when those with a hold or an order entered
    held_after: list[int] = field(default_factory=list)  # how long they took from entering to the hold
    events: list[tuple[int, int, Callable[[int, int], None], int]] = field(default_factory=list)
    turn_at: dict[int, int] = field(default_factory=dict)  # place → tick in which it was called

    def __post_init__(self) -> None:
        self.checkpoint = Checkpoint(joined=len(self.line))
        self.meter = PaceMeter()
        self.drop = Drop(sealed_at=START - decision.ADMISSION_DELAY)

    @property
    def free(self) -> int:
        return self.units - self.taken - self.sold

    def run(self) -> int:
        """Tick until all is sold. Return the number of ticks."""
        while self.sold < self.units:
            self.step()
        return self.tick

    def step(self) -> None:
        """One second: what shoppers do, then the gatekeeper's decision, then shoppers see their turn."""
        self.tick += 1
        assert self.tick < MAX_TICKS, "the drop never sells out"
        while self.events and self.events[0][0] <= self.tick:
            _at, place, event, entered = heappop(self.events)
            event(place, entered)
        self.decide()
        for place in range(self.called, self.checkpoint.cursor):
            self.turn_at[place] = self.tick
            shopper = self.line[place]
            if shopper is not None:
                self.plan(shopper.seeing, place, self.enter)
        self.called = self.checkpoint.cursor

    def plan(self, seconds: int, place: int, event: Callable[[int, int], None], entered: int = 0) -> None:
        """A shopper has one event at a time, so places tell events of one second apart."""
        heappush(self.events, (self.tick + seconds, place, event, entered))

    def shopper(self, place: int) -> Shopper:
        found = self.line[place]
        assert found is not None
        return found

    def enter(self, place: int, _entered: int) -> None:
        if self.entered >= self.checkpoint.allowance:
            self.plan(2 + place % 4, place, self.enter)  # "one moment", and again
            return
        self.entered += 1
        self.entered_at[self.tick] += 1
        self.plan(self.shopper(place).choosing, place, self.hold, self.tick)

    def hold(self, place: int, entered: int) -> None:
        if not self.free:
            return
        self.taken += 1
        self.held_after.append(self.tick - entered)
        self.held_entries.append(entered)
        self.plan(self.shopper(place).paying, place, self.pay)

    def pay(self, _place: int, _entered: int) -> None:
        self.taken -= 1
        self.sold += 1

    def decide(self) -> None:
        """The gatekeeper's own decision, from what it would have read."""
        now = START + timedelta(seconds=self.tick)
        self.checkpoint.entered = self.entered
        unix = now.timestamp()
        snapshot = DropSnapshot(
            drop=self.drop,
            checkpoint=self.checkpoint,
            phase=Phase.LIVE,
            now=now,
            redis=lua.WaitingRoomState("run", unix, {}, {}),
            entered_at={int(START.timestamp()) + at: count for at, count in self.entered_at.items()},
            counts={1: UnitCounts(free=self.free, held=self.taken, sold=self.sold, withheld=0)},
            holds=self.count_holds(),
            calls=self.calls,
        )
        left = max(0, PAYMENTS_AHEAD - self.taken)
        payments = Ceiling(kind=Ceiling.Kind.PAYMENT_RATE, shoppers=left, reason="Payments.")
        decision.decide(due=[snapshot], every=[snapshot], active=[payments])
        self.pace = measure(snapshot, self.meter)

    def count_holds(self) -> HoldCounts:
        """As the SQL in snapshots.py counts them."""
        choosing = float(tickets.PASS_SECONDS)
        if len(self.held_after) >= snapshots.MIN_FIRST_HOLDS:
            mean = sum(self.held_after) / len(self.held_after)
            choosing = min(choosing, max(snapshots.MIN_CHOOSING_SECONDS, snapshots.CHOOSING_MEANS * mean))
        recent = sum(1 for at in self.held_entries if at > self.tick - choosing)
        return HoldCounts(
            live=len(self.held_entries), busy=self.taken, recent=recent, choosing_seconds=choosing
        )
