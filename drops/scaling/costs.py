"""What a drop cost: instance-seconds above baseline, by the steps' own times, and what the edge delivered, by its log.

Beside it stands what the same sizes would have cost for a month without pause, and what the polls of pages cost.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from drops.line.status import POLL
from drops.models import Drop, Hold
from drops.scaling import facts, prices
from drops.scaling.edge_log import Seen
from drops.scaling.models import Call, Preparation, Step
from drops.scaling.plan import CENT, HOURS_A_MONTH
from drops.scaling.targets import KINDS

HOUR = 3600


@dataclass(frozen=True)
class Item:
    """What one target stood for above its baseline. Prices are text: dollars; None where nobody knows one."""

    target: str
    unit: str
    above: int  # instances
    since: str
    until: str
    instance_seconds: int
    price_per_hour: str | None
    price: str | None
    always_on: str | None  # a month of the same


@dataclass(frozen=True)
class Bill:
    """What a drop cost, as kept in Preparation.bill. The edge's figures are None where no log could tell."""

    measured_at: str
    prices_as_of: str
    items: tuple[Item, ...]
    capacity: str | None  # the sum of the items that have a price
    edge_requests: int | None
    edge_bytes: int | None
    edge: str | None
    polls: int | None
    polls_price: str | None
    poll_seconds: tuple[int, int]
    total: str | None
    orders: int
    per_order: str | None
    always_on: str | None

    def as_json(self) -> dict[str, Any]:
        """Give it as kept."""
        return asdict(self) | {"items": [asdict(item) for item in self.items], "poll_seconds": list(self.poll_seconds)}


def measure(*, drop: Drop, seen: Seen | None, now: datetime) -> Bill:
    """Add up what a drop cost. `seen` is what the edge's log says of it; steps still under way count until now."""
    items = tuple(item for step in steps_of(drop) if (item := item_of(step, now)) is not None)
    table = prices.table()
    edge = polls = None
    if seen:
        counted = seen.groups["edge"]
        edge = counted.requests * table.edge_request.price + counted.size * table.edge_byte
        polls = seen.polls * table.edge_request.price + seen.poll_bytes * table.edge_byte
    capacity = total_of(item.price for item in items)
    total = total_of([capacity, None if edge is None else str(edge)])
    orders = Hold.objects.filter(drop=drop, state=Hold.State.ALLOCATED).count()
    return Bill(
        measured_at=now.isoformat(),
        prices_as_of=table.as_of,
        items=items,
        capacity=capacity,
        edge_requests=seen.groups["edge"].requests if seen else None,
        edge_bytes=seen.groups["edge"].size if seen else None,
        edge=told(edge),
        polls=seen.polls if seen else None,
        polls_price=told(polls),
        poll_seconds=(POLL["least"], POLL["most"]),
        total=total,
        orders=orders,
        per_order=told(Decimal(total) / orders) if total is not None and orders else None,
        always_on=total_of(item.always_on for item in items),
    )


def steps_of(drop: Drop) -> list[Step]:
    """Read the steps of a drop that were requested."""
    return list(Step.objects.filter(drop=drop, requested_at__isnull=False).select_related("target"))


def item_of(step: Step, now: datetime) -> Item | None:
    """Give what a step stood for: from the demand until its target was back. None if it moved nothing."""
    above = step.wanted - baseline_of(step)
    if above <= 0 or step.requested_at is None:
        return None
    until = step.ended_at or now
    seconds = max(0.0, (until - step.requested_at).total_seconds())
    kind = KINDS.get(step.target.kind)
    price = facts.price_of(step.target, kind)[0] if kind else step.target.price_per_hour
    return Item(
        target=step.target.name,
        unit=kind.unit if kind else "",
        above=above,
        since=step.requested_at.isoformat(),
        until=until.isoformat(),
        instance_seconds=round(above * seconds),
        price_per_hour=None if price is None else str(price),
        price=None if price is None else told(price * above * Decimal(seconds) / HOUR),
        always_on=None if price is None else str((price * above * HOURS_A_MONTH).quantize(CENT)),
    )


def baseline_of(step: Step) -> int:
    """Tell what the target had without the drop: as planned last, else as it was first read for the step."""
    plan = Preparation.objects.filter(drop=step.drop_id).values_list("plan", flat=True).first() or {}
    for line in plan.get("lines", []):
        if line["target_id"] == step.target_id:
            return int(line["now_size"])
    first = Call.objects.filter(step=step, act="read", fault="").order_by("at").values_list("after", flat=True).first()
    return int((first or {}).get("size", step.wanted))


def told(amount: Decimal | None) -> str | None:
    """Say a sum with six decimals, since most are parts of a cent."""
    return None if amount is None else str(amount.quantize(Decimal("0.000001")))


def total_of(amounts: Any) -> str | None:
    """Add up those that are known; None if none is."""
    known = [Decimal(amount) for amount in amounts if amount is not None]
    return told(sum(known, Decimal(0))) if known else None
