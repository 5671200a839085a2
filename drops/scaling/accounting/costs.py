"""The cost of a drop: instance-seconds above the baseline by the steps' times, and edge traffic by its log.

Beside it: what the same sizes would cost for a whole month, and what the polls of waiting pages cost.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q

from drops.models import Drop, Hold
from drops.scaling.accounting import usage
from drops.scaling.accounting.access_log import DropTraffic
from drops.scaling.models import Call, ScalePlan, Target
from drops.scaling.planning import prices, read_inputs
from drops.scaling.planning.planner import CENT, HOURS_PER_MONTH
from drops.scaling.planning.prices import PriceTable
from drops.scaling.providers import PROVIDERS
from drops.waitingroom.protocol.status import POLL

SECONDS_PER_HOUR = 3600
MICRODOLLAR = Decimal("0.000001")


@dataclass(frozen=True)
class CostItem:
    """What one target ran above its baseline. Prices are US dollars as text; None where no price is known."""

    target: str
    unit: str
    above: int  # instances
    since: str
    until: str
    instance_seconds: int  # the drop's part of them, where other drops needed them too
    price_per_hour: str | None
    price: str | None
    always_on: str | None  # the same for a whole month


@dataclass(frozen=True)
class DropCost:
    """What a drop cost, as stored in ScalePlan.cost.

    The edge's figures are None where its log couldn't be used.
    """

    measured_at: str
    prices_as_of: str
    items: tuple[CostItem, ...]
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
        """Return it as it is stored."""
        return asdict(self) | {
            "items": [asdict(item) for item in self.items],
            "poll_seconds": list(self.poll_seconds),
        }


def calculate(*, drop: Drop, traffic: DropTraffic | None, now: datetime) -> DropCost:
    """Return what a drop cost, with its traffic at the edge if that is known. Live steps count until now."""
    items = cost_items(drop, now)
    table = prices.price_table()
    edge_requests: int | None = None
    edge_bytes: int | None = None
    edge_price: Decimal | None = None
    polls: int | None = None
    polls_price: Decimal | None = None
    if traffic:
        edge = traffic.groups["edge"]
        edge_requests, edge_bytes = edge.requests, edge.sent_bytes
        edge_price = traffic_price(table, requests=edge.requests, size=edge.sent_bytes)
        polls = traffic.polls
        polls_price = traffic_price(table, requests=traffic.polls, size=traffic.poll_bytes)
    capacity = total_of(item.price for item in items)
    total = total_of([capacity, as_text(edge_price)])
    orders = Hold.objects.filter(drop=drop, state=Hold.State.ALLOCATED).count()
    per_order: str | None = None
    if total is not None and orders:
        per_order = as_text(Decimal(total) / orders)
    return DropCost(
        measured_at=now.isoformat(),
        prices_as_of=table.as_of,
        items=items,
        capacity=capacity,
        edge_requests=edge_requests,
        edge_bytes=edge_bytes,
        edge=as_text(edge_price),
        polls=polls,
        polls_price=as_text(polls_price),
        poll_seconds=(POLL["least"], POLL["most"]),
        total=total,
        orders=orders,
        per_order=per_order,
        always_on=total_of(item.always_on for item in items),
    )


def traffic_price(table: PriceTable, *, requests: int, size: int) -> Decimal:
    """Return the price of requests at the edge, and of the bytes that they delivered."""
    return requests * table.edge_request.amount + size * table.edge_byte


def cost_items(drop: Drop, now: datetime) -> tuple[CostItem, ...]:
    """Return an item for each target that was scaled for a drop."""
    targets = Target.objects.filter(Q(steps__drop=drop) | Q(usages__drop=drop)).distinct()
    items = [cost_item(drop, target, now) for target in targets]
    return tuple(item for item in items if item is not None)


def cost_item(drop: Drop, target: Target, now: datetime) -> CostItem | None:
    """Return what a target ran for a drop, from request to restoring; None if it wasn't scaled."""
    baseline = size_before(drop, target)
    usages = usage.intervals(target=target, now=now)
    own = [interval for interval in usages if interval.drop_id == drop.pk]
    above = max((interval.size for interval in own), default=0) - (baseline or 0)
    if baseline is None or above <= 0:
        return None
    seconds = usage.instance_seconds(usages=usages, drop_id=drop.pk, baseline=baseline)
    unit, hourly = "", target.price_per_hour
    provider = PROVIDERS.get(target.provider)
    if provider:
        unit = provider.unit
        hourly, _source = read_inputs.price_per_hour(target, provider)
    price_per_hour: str | None = None
    price: str | None = None
    always_on: str | None = None
    if hourly is not None:
        price_per_hour = str(hourly)
        price = as_text(hourly * Decimal(seconds) / SECONDS_PER_HOUR)
        always_on = str((hourly * above * HOURS_PER_MONTH).quantize(CENT))
    return CostItem(
        target=target.name,
        unit=unit,
        above=above,
        since=min(interval.since for interval in own).isoformat(),
        until=max(interval.until for interval in own).isoformat(),
        instance_seconds=round(seconds),
        price_per_hour=price_per_hour,
        price=price,
        always_on=always_on,
    )


def size_before(drop: Drop, target: Target) -> int | None:
    """Return a target's size without the drop: by the last plan, or as first read for it; otherwise None."""
    plan = ScalePlan.objects.filter(drop=drop).values_list("plan", flat=True).first() or {}
    for line in plan.get("lines", []):
        if line["target_id"] == target.pk:
            return int(line["current_size"])
    reads = Call.objects.filter(step__drop=drop, target=target, operation="read", error="").order_by("at")
    return (reads.values_list("after", flat=True).first() or {}).get("size")


def as_text(amount: Decimal | None) -> str | None:
    """Return an amount with six decimals, since most are parts of a cent."""
    if amount is None:
        return None
    return str(amount.quantize(MICRODOLLAR))


def total_of(amounts: Iterable[str | None]) -> str | None:
    """Return the sum of the amounts that are known; None if none is."""
    known = [Decimal(amount) for amount in amounts if amount is not None]
    if not known:
        return None
    return as_text(sum(known, Decimal(0)))
