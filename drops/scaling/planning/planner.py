"""The plan of a drop: how large each target must be, from when, why, and at which price. Pure.

expected shoppers × arrival curve × weights = demand on each group per second (drops.scaling.planning.demand)
demand × share ÷ throughput of one instance, headroom, loss of a zone, floor, ceiling = desired size
go / no-go − lead time of the target's tier and of the tiers after it = start

A plan with problems is refused: it has no lines. Warnings change nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

from drops.scaling.planning import capacity, checks
from drops.scaling.planning.demand import GroupDemand, admission_rate, group_demands, total_polls
from drops.scaling.planning.figures import short, whole
from drops.scaling.planning.inputs import PlanInputs, TargetInputs

HOURS_PER_MONTH = 730
CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class PlanLine:
    """The change of one target."""

    target_id: int
    target: str
    unit: str
    desired_size: int
    allowed_size: int  # the part of the desired size that needs no further approval
    current_size: int
    tier: int
    starts_at: datetime
    needed_at: datetime
    needs_approval: bool
    reasons: tuple[str, ...]
    price: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan. Sums are in US dollars, as in the price table; None where no price is known."""

    slug: str
    expected: int
    per_second: float  # shoppers admitted at most
    demand: Mapping[str, GroupDemand]
    lines: tuple[PlanLine, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]  # how it was calculated: arrivals, admission, connections, polls
    price: Decimal | None
    always_on: Decimal | None  # the same sizes for a whole month
    ends_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """Return it as stored in ScalePlan.plan: times as ISO 8601, prices as text."""
        return {
            "slug": self.slug,
            "expected": self.expected,
            "per_second": round(self.per_second, 2),
            "demand": {
                group: {"per_second": round(one.per_second, 2), "reasons": list(one.reasons)}
                for group, one in self.demand.items()
            },
            "lines": [{name: _plain(value) for name, value in asdict(line).items()} for line in self.lines],
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            "notes": list(self.notes),
            "price": _plain(self.price),
            "always_on": _plain(self.always_on),
            "ends_at": _plain(self.ends_at),
        }


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return value


def make_plan(inputs: PlanInputs) -> Plan:
    """Calculate the plan of one drop."""
    problems = checks.problems(inputs)
    demands = group_demands(inputs)
    rate, limit = admission_rate(inputs)
    lines: tuple[PlanLine, ...] = ()
    if inputs.lobby_opens_at and not problems:
        lines = _lines(inputs, demands, go_at=inputs.lobby_opens_at - timedelta(seconds=inputs.go_seconds))
    sizes = planned_sizes(lines=lines, inputs=inputs)
    connections = capacity.connection_use(sizes=sizes, inputs=inputs)
    if lines:
        problems += checks.too_many_connections(inputs, connections, sizes)
    return Plan(
        slug=inputs.slug,
        expected=inputs.expected,
        per_second=rate,
        demand=demands,
        lines=lines,
        problems=tuple(problems),
        warnings=(*checks.warnings(inputs), *_line_warnings(lines, inputs, sizes)),
        notes=_notes(inputs, rate, limit, connections),
        price=_sum(line.price for line in lines),
        always_on=_sum(_monthly_price(line, inputs) for line in lines),
        ends_at=inputs.ends_at,
    )


def planned_sizes(*, lines: tuple[PlanLine, ...], inputs: PlanInputs) -> dict[int, int]:
    """Return the size of every target while the plan and the leases of other drops hold.

    Stopped ones don't change.
    """
    desired = {line.target_id: line.desired_size for line in lines}
    sizes = {}
    for target in inputs.targets:
        if target.stopped_reason:
            sizes[target.id] = max(target.current_size, target.ready_size or 0)
        else:
            sizes[target.id] = max(target.current_size, target.other_leases_size, desired.get(target.id, 0))
    return sizes


def _lines(
    inputs: PlanInputs, demands: Mapping[str, GroupDemand], *, go_at: datetime
) -> tuple[PlanLine, ...]:
    starts = _start_times(inputs, go_at=go_at)
    targets = sorted(inputs.targets, key=lambda target: (target.tier, target.name))
    return tuple(
        _line(inputs, target, demands, starts_at=starts[target.tier], go_at=go_at) for target in targets
    )


def _start_times(inputs: PlanInputs, *, go_at: datetime) -> dict[int, datetime]:
    """Return when each tier starts. Later tiers wait for it, so their lead times are added to its own."""
    starts, at = {}, go_at
    for tier in sorted({target.tier for target in inputs.targets}, reverse=True):
        at -= timedelta(seconds=max(target.lead_seconds for target in inputs.targets if target.tier == tier))
        starts[tier] = max(at, inputs.now)
    return starts


def _line(
    inputs: PlanInputs,
    target: TargetInputs,
    demands: Mapping[str, GroupDemand],
    *,
    starts_at: datetime,
    go_at: datetime,
) -> PlanLine:
    size, reasons = required_size(target=target, demands=demands, inputs=inputs)
    allowed_size = size
    if target.ops_ceiling is not None:
        allowed_size = min(size, max(target.ops_ceiling, inputs.approved_sizes.get(target.id, 0)))
    needs_approval = allowed_size < size
    if needs_approval:
        reasons.append(f"above ops' ceiling of {target.ops_ceiling}: needs approval from ops")
    reasons.append(f"lead time {target.lead_seconds} s: {target.lead_reason}")
    price = _price(target, size, starts_at, inputs)
    if price is not None:
        reasons.append(f"price: {target.price_reason}")
    return PlanLine(
        target_id=target.id,
        target=target.name,
        unit=target.unit,
        desired_size=size,
        allowed_size=allowed_size,
        current_size=target.current_size,
        tier=target.tier,
        starts_at=starts_at,
        needed_at=go_at,
        needs_approval=needs_approval,
        reasons=tuple(reasons),
        price=price,
    )


def required_size(
    *, target: TargetInputs, demands: Mapping[str, GroupDemand], inputs: PlanInputs
) -> tuple[int, list[str]]:
    """Return the size that a target must have, and each step of its calculation."""
    reasons = []
    for share in target.shares:
        throughput = capacity.instance_throughput(target=target, share=share, inputs=inputs)
        amount = demands[share.group].per_second
        instances = amount * share.percent / 100 / throughput
        reasons.append(
            f"{share.group}: {share.percent} % of {short(amount)}/s ÷ {short(throughput)}/s per instance "
            f"= {short(instances)}"
        )
    needed = capacity.instances_needed(target=target, demands=demands, inputs=inputs)
    # The small subtraction keeps a rounding error from adding an instance.
    size = ceil(needed * (1 + target.headroom_percent / 100) - 1e-9)
    reasons.append(f"with {target.headroom_percent} % headroom: {size}")
    if target.zones > 1:
        size = size_for_zone_loss(size, zones=target.zones)
        reasons.append(f"so that enough is left if one of {target.zones} zones is lost: {size}")
    minimum = max(target.floor, target.current_size)
    if size < minimum:
        size = minimum
        reasons.append(f"not below its floor and its present size: {size}")
    if size > target.ceiling:
        size = max(target.ceiling, target.current_size)
        reasons.append(f"not above its ceiling: {size}")
    return size, reasons


def size_for_zone_loss(size: int, *, zones: int) -> int:
    """Return the smallest size of which `size` is left when the zone with the most instances is lost."""
    found = ceil(size * zones / (zones - 1))
    while found - ceil(found / zones) < size:
        found += 1
    return found


def _price(target: TargetInputs, size: int, starts_at: datetime, inputs: PlanInputs) -> Decimal | None:
    if target.price_per_hour is None or inputs.ends_at is None:
        return None
    hours = Decimal(max(0.0, (inputs.ends_at - starts_at).total_seconds())) / 3600
    added = max(0, size - target.current_size)
    return (target.price_per_hour * added * hours).quantize(CENT)


def _monthly_price(line: PlanLine, inputs: PlanInputs) -> Decimal | None:
    price_per_hour = _target(line, inputs).price_per_hour
    if price_per_hour is None:
        return None
    added = max(0, line.desired_size - line.current_size)
    return (price_per_hour * added * HOURS_PER_MONTH).quantize(CENT)


def _sum(prices: Iterable[Decimal | None]) -> Decimal | None:
    known = [price for price in prices if price is not None]
    return sum(known, Decimal(0)) if known else None


def _target(line: PlanLine, inputs: PlanInputs) -> TargetInputs:
    return next(target for target in inputs.targets if target.id == line.target_id)


def _line_warnings(lines: tuple[PlanLine, ...], inputs: PlanInputs, sizes: Mapping[int, int]) -> list[str]:
    found = []
    for line in lines:
        target = _target(line, inputs)
        if max(line.current_size, target.ready_size or 0) < line.desired_size:
            found += checks.lead_time_warnings(inputs, target)
        if line.needs_approval:
            found.append(
                f"{line.target}: {line.desired_size} {line.unit} needed, {line.allowed_size} allowed. "
                "It won't grow beyond that without approval from ops."
            )
    rate, limits = capacity.reachable_rate(sizes=dict(sizes), inputs=inputs)
    if limits:
        found += limits
        found.append(
            f"Even with this plan, only {short(rate)} shoppers a second can be admitted. "
            "Raise the ceilings of these targets, or expect fewer shoppers."
        )
    return found


def _notes(
    inputs: PlanInputs, rate: float, limit: str, connections: capacity.ConnectionUse
) -> tuple[str, ...]:
    notes = [
        f"Arrivals: {inputs.curve.evidence}.",
        f"Admission: at most {short(rate)} shoppers a second; {limit}.",
        f"Connections: {connections.message}",
    ]
    if inputs.checkout_reason:
        notes.append(f"Checkout: {inputs.checkout_reason}.")
    return (*notes, poll_note(inputs))


def poll_note(inputs: PlanInputs) -> str:
    """Return how often waiting pages poll, and what that costs."""
    polls, rule = total_polls(inputs), inputs.polls
    note = f"Polls: every {short(rule.min_seconds)} to {short(rule.max_seconds)} s per page, {whole(polls)} in total"
    if inputs.edge_request_price is None or inputs.edge_byte_price is None or inputs.opens_at is None:
        return f"{note}."
    price = inputs.edge_request_price + inputs.edge_byte_price * Decimal(inputs.poll_bytes)
    # With one poll per second and page, a shopper would poll for half of the selling time on average.
    every_second = inputs.expected * inputs.total_admitted / inputs.purchases_per_second / 2
    cost = (price * Decimal(polls)).quantize(CENT)
    cost_every_second = (price * Decimal(max(polls, every_second))).quantize(CENT)
    return (
        f"{note}, ${cost}; at one poll a second they would cost ${cost_every_second} ({inputs.prices_as_of})."
    )
