"""What a drop cost: instance-seconds above baseline, by the steps' own times, and what the edge delivered, by its log.

Beside it stands what the same sizes would have cost for a month without pause, and what the polls of pages cost.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q

from drops.models import Drop, Hold
from drops.scaling.accounting import usage
from drops.scaling.accounting.access_log import Seen
from drops.scaling.models import Call, ScalePlan, Target
from drops.scaling.planning import prices, read_inputs
from drops.scaling.planning.planner import CENT, HOURS_A_MONTH
from drops.scaling.providers import PROVIDERS
from drops.waitingroom.protocol.status import POLL

HOUR = 3600


@dataclass(frozen=True)
class Item:
    """What one target stood for above its baseline. Prices are text: dollars; None where nobody knows one."""

    target: str
    unit: str
    above: int  # instances
    since: str
    until: str
    instance_seconds: int  # its part of them, where another drop claimed them too
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
    claimed = Target.objects.filter(Q(steps__drop=drop) | Q(usages__drop=drop)).distinct()
    items = tuple(item for target in claimed if (item := item_of(drop, target, now)) is not None)
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


def item_of(drop: Drop, target: Target, now: datetime) -> Item | None:
    """Give what a target stood for, for a drop: from the demand until it was back. None if the drop moved nothing."""
    baseline = baseline_of(drop, target)
    claims = usage.of(target=target, now=now)
    mine = [claim for claim in claims if claim.drop_id == drop.pk]
    above = max((claim.size for claim in mine), default=0) - (baseline or 0)
    if baseline is None or above <= 0:
        return None
    seconds = usage.share(claims=claims, drop_id=drop.pk, baseline=baseline)
    kind = PROVIDERS.get(target.provider)
    price = read_inputs.price_of(target, kind)[0] if kind else target.price_per_hour
    return Item(
        target=target.name,
        unit=kind.unit if kind else "",
        above=above,
        since=min(claim.since for claim in mine).isoformat(),
        until=max(claim.until for claim in mine).isoformat(),
        instance_seconds=round(seconds),
        price_per_hour=None if price is None else str(price),
        price=None if price is None else told(price * Decimal(seconds) / HOUR),
        always_on=None if price is None else str((price * above * HOURS_A_MONTH).quantize(CENT)),
    )


def baseline_of(drop: Drop, target: Target) -> int | None:
    """Tell what a target had without the drop: as planned last, else as first read for it; None if it never was."""
    plan = ScalePlan.objects.filter(drop=drop).values_list("plan", flat=True).first() or {}
    for line in plan.get("lines", []):
        if line["target_id"] == target.pk:
            return int(line["current_size"])
    reads = Call.objects.filter(step__drop=drop, target=target, operation="read", error="").order_by("at")
    return (reads.values_list("after", flat=True).first() or {}).get("size")


def told(amount: Decimal | None) -> str | None:
    """Say a sum with six decimals, since most are parts of a cent."""
    return None if amount is None else str(amount.quantize(Decimal("0.000001")))


def total_of(amounts: Any) -> str | None:
    """Add up those that are known; None if none is."""
    known = [Decimal(amount) for amount in amounts if amount is not None]
    return told(sum(known, Decimal(0))) if known else None
