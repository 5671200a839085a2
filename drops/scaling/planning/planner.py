"""The plan of a drop: how large each target must be, from when, why, and at which price. Pure.

expected shoppers × arrival curve × weights = demand of each group in a second     drops.scaling.planning.demand
demand × share ÷ what one instance can do, headroom, loss of one zone, floor, ceiling = wanted size
lead times of its tier and of those after it, before the go / no-go = start

A plan with problems is refused: no step comes of it. Warnings only tell.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

from django.utils.translation import gettext as _

from drops.scaling.planning import capacity, checks
from drops.scaling.planning.demand import GroupDemand, admitted, demand, polls, short, whole
from drops.scaling.planning.inputs import PlanInputs, TargetInputs

HOURS_A_MONTH = 730
CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class PlanLine:
    """What one target must become. `allowed` of it needs no yes from ops."""

    target_id: int
    target: str
    unit: str
    desired_size: int
    allowed: int
    current_size: int
    tier: int
    starts_at: datetime
    needed_at: datetime
    needs_approval: bool
    reasons: tuple[str, ...]
    price: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Sums are in US dollars, as the price table is; None where no price is known."""

    slug: str
    expected: int
    per_second: float  # shoppers let in, at the most
    demand: Mapping[str, GroupDemand]
    lines: tuple[PlanLine, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]  # how it was reckoned: arrivals, admission, connections, polls
    price: Decimal | None
    always_on: Decimal | None  # the same sizes for a month without pause
    ends_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """Give it as kept in Preparation.plan: times as ISO, prices as text."""
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
    return list(value) if isinstance(value, tuple) else value


def plan(facts: PlanInputs) -> Plan:
    """Reckon the plan of one drop."""
    problems = checks.problems(facts)
    asked = demand(facts)
    rate, bound = admitted(facts)
    lines: tuple[PlanLine, ...] = ()
    if facts.lobby_opens_at and not problems:
        starts = _starts(facts)
        lines = tuple(_line(facts, target, asked, starts[target.tier]) for target in _in_order(facts))
    sizes = grown(lines=lines, facts=facts)
    fleet = capacity.connections(sizes=sizes, facts=facts)
    if lines:
        problems += checks.too_many_connections(facts, fleet, sizes)
    return Plan(
        slug=facts.slug,
        expected=facts.expected,
        per_second=rate,
        demand=asked,
        lines=lines,
        problems=tuple(problems),
        warnings=(*checks.warnings(facts), *_warnings_of_lines(lines, facts, sizes)),
        notes=_notes(facts, rate, bound, fleet),
        price=_sum(line.price for line in lines),
        always_on=_sum(_monthly(line, facts) for line in lines),
        ends_at=facts.ends_at,
    )


def grown(*, lines: tuple[PlanLine, ...], facts: PlanInputs) -> dict[int, int]:
    """Give the sizes of the grown fleet: what is wanted by this drop or another, and what stands where none can be."""
    sizes = {target.id: max(target.current_size, target.lowest_by_others) for target in facts.targets}
    stopped = {target.id for target in facts.targets if target.stopped}
    return (
        sizes
        | {line.target_id: max(line.desired_size, sizes[line.target_id]) for line in lines}
        | {
            target.id: max(target.current_size, target.ready_size or 0)
            for target in facts.targets
            if target.id in stopped
        }
    )


def _in_order(facts: PlanInputs) -> list[TargetInputs]:
    return sorted(facts.targets, key=lambda target: (target.tier, target.name))


def needed_at(facts: PlanInputs) -> datetime:
    """Give the time of the go / no-go: until then all must be there."""
    assert facts.lobby_opens_at is not None  # noqa: S101  # plan() looks before it asks
    return facts.lobby_opens_at - timedelta(seconds=facts.go_seconds)


def _starts(facts: PlanInputs) -> dict[int, datetime]:
    """When each tier begins: those after it wait for it, so their lead times come on top of its own."""
    starts, at = {}, needed_at(facts)
    for tier in sorted({target.tier for target in facts.targets}, reverse=True):
        at -= timedelta(seconds=max(target.lead_seconds for target in facts.targets if target.tier == tier))
        starts[tier] = max(at, facts.now)
    return starts


def _line(facts: PlanInputs, target: TargetInputs, asked: Mapping[str, GroupDemand], starts_at: datetime) -> PlanLine:
    wanted, reasons = size(target=target, asked=asked, facts=facts)
    allowed = wanted
    if target.ops_ceiling is not None:
        allowed = min(wanted, max(target.ops_ceiling, facts.approved.get(target.id, 0)))
    needs_approval = allowed < wanted
    if needs_approval:
        reasons.append(f"ops' ceiling is {target.ops_ceiling}: more than that waits for a yes from ops")
    reasons.append(f"lead time {target.lead_seconds} s: {target.lead_reason}")
    price = _price(target, wanted, starts_at, facts)
    if price is not None:
        reasons.append(f"price: {target.price_reason}")
    return PlanLine(
        target_id=target.id,
        target=target.name,
        unit=target.unit,
        desired_size=wanted,
        allowed=allowed,
        current_size=target.current_size,
        tier=target.tier,
        starts_at=starts_at,
        needed_at=needed_at(facts),
        needs_approval=needs_approval,
        reasons=tuple(reasons),
        price=price,
    )


def size(*, target: TargetInputs, asked: Mapping[str, GroupDemand], facts: PlanInputs) -> tuple[int, list[str]]:
    """Give the size a target must have, and how it comes about, step by step."""
    reasons = []
    for part in target.parts:
        one, amount = capacity.per_second(target=target, part=part, facts=facts), asked[part.group].per_second
        reasons.append(
            f"{part.group}: {part.percent} % of {short(amount)}/s ÷ {short(one)}/s an instance = {short(amount * part.percent / 100 / one)}"
        )
    need = capacity.instances(target=target, asked=asked, facts=facts) * (1 + target.headroom_percent / 100)
    wanted = ceil(need - 1e-9)
    reasons.append(f"with {target.headroom_percent} % headroom: {wanted}")
    if target.zones > 1:
        wanted = with_a_zone_lost(wanted, zones=target.zones)
        reasons.append(f"so that this is left when one of {target.zones} zones is lost: {wanted}")
    least = max(target.floor, target.current_size)
    if wanted < least:
        wanted = least
        reasons.append(f"never below its floor and what it has anyway: {wanted}")
    if wanted > target.ceiling:
        wanted = max(target.ceiling, target.current_size)
        reasons.append(f"it can't be larger than its ceiling: {wanted}")
    return wanted, reasons


def with_a_zone_lost(wanted: int, *, zones: int) -> int:
    """Give the least size of which `wanted` is left when the fullest of the zones is lost."""
    found = ceil(wanted * zones / (zones - 1))
    while found - ceil(found / zones) < wanted:
        found += 1
    return found


def _price(target: TargetInputs, wanted: int, starts_at: datetime, facts: PlanInputs) -> Decimal | None:
    if target.price_per_hour is None or facts.ends_at is None:
        return None
    hours = Decimal(max(0.0, (facts.ends_at - starts_at).total_seconds())) / 3600
    return (target.price_per_hour * max(0, wanted - target.current_size) * hours).quantize(CENT)


def _monthly(line: PlanLine, facts: PlanInputs) -> Decimal | None:
    target = next(target for target in facts.targets if target.id == line.target_id)
    if target.price_per_hour is None:
        return None
    return (target.price_per_hour * max(0, line.desired_size - line.current_size) * HOURS_A_MONTH).quantize(CENT)


def _sum(prices: Any) -> Decimal | None:
    known = [price for price in prices if price is not None]
    return sum(known, Decimal(0)) if known else None


def _warnings_of_lines(lines: tuple[PlanLine, ...], facts: PlanInputs, sizes: Mapping[int, int]) -> list[str]:
    found = []
    for line in lines:
        target = next(target for target in facts.targets if target.id == line.target_id)
        if max(line.current_size, target.ready_size or 0) < line.desired_size:
            found += checks.short_of_time(facts, target)
        if line.needs_approval:
            found.append(
                f"{line.target}: {line.desired_size} {line.unit} are wanted, {line.allowed} are allowed. Ops must say yes, or it stays below."
            )
    rate, words = capacity.reachable(sizes=dict(sizes), facts=facts)
    if words:
        found += words
        even = _("Even as planned, %(n)s shoppers a second can be let in. Raise these ceilings, or expect fewer.")
        found.append(even % {"n": short(rate)})
    return found


def _notes(facts: PlanInputs, rate: float, bound: str, fleet: capacity.Connections) -> tuple[str, ...]:
    found = [
        f"Arrivals: {facts.curve.evidence}.",
        f"Admission: {short(rate)} shoppers a second at the most; {bound}.",
        f"Connections: {fleet.message}",
    ]
    if facts.checkout_reason:
        found.append(f"Checkout: {facts.checkout_reason}.")
    return (*found, poll_words(facts))


def poll_words(facts: PlanInputs) -> str:
    """Say how often pages ask for the status, and what that costs."""
    looks, (least, most, _share) = polls(facts), facts.polls
    words = f"Polls: a page asks every {short(least)} to {short(most)} s, {whole(looks)} times altogether"
    if facts.edge_request_price is None or facts.edge_byte_price is None or facts.opens_at is None:
        return words + "."
    each = facts.edge_request_price + facts.edge_byte_price * Decimal(facts.poll_bytes)
    every_second = facts.expected * facts.served / facts.selling_per_second / 2
    return (
        words
        + f", ${(each * Decimal(looks)).quantize(CENT)}; at one a second it would be ${(each * Decimal(max(looks, every_second))).quantize(CENT)} ({facts.prices_as_of})."
    )
