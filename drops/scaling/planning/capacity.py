"""Capacity of sizes: the instances that a demand needs, the shoppers that can be admitted, the connections.

Pure.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from drops.scaling.planning.demand import GroupDemand, admission_rate, group_demands
from drops.scaling.planning.figures import short
from drops.scaling.planning.inputs import GROUPS, LINE_GROUPS, PlanInputs, ShareInputs, TargetInputs

MAX_CORE_SHARE = 0.8  # of one core that a process is planned to use
MIN_PER_SECOND = 1e-6  # stands for a throughput of 0, with which no plan is accepted


@dataclass(frozen=True)
class ConnectionUse:
    """The database connections that fleets of given sizes use, and those that the database allows."""

    needed: int
    allowed: int  # 0: not known
    message: str  # the sum, as a sentence

    @property
    def fits(self) -> bool:
        """Whether the database allows all of them."""
        return not self.allowed or self.needed <= self.allowed


def instance_throughput(*, target: TargetInputs, share: ShareInputs, inputs: PlanInputs) -> float:
    """Return what one instance can do per second: as set, or less by measured CPU time of one core."""
    weight = inputs.weights.get(share.group)
    throughput = share.per_second
    if target.is_single_process and weight and weight.cpu_seconds:
        throughput = min(throughput, MAX_CORE_SHARE / weight.cpu_seconds)
    return max(MIN_PER_SECOND, throughput)


def instances_needed(
    *, target: TargetInputs, demands: Mapping[str, GroupDemand], inputs: PlanInputs
) -> float:
    """Return how many instances the demand keeps busy, without any reserve."""
    needed = 0.0
    for share in target.shares:
        amount = demands[share.group].per_second * share.percent / 100
        needed += amount / instance_throughput(target=target, share=share, inputs=inputs)
    return needed


def verified_size(*, target: TargetInputs, sizes: Mapping[int, int | None]) -> int:
    """Return the size that was read; if unknown, the last verified one, and never less than the baseline."""
    size = sizes.get(target.id)
    if size is not None:
        return size
    return max(target.ready_size or 0, target.current_size)


def reachable_rate(*, sizes: Mapping[int, int | None], inputs: PlanInputs) -> tuple[float, list[str]]:
    """Return the shoppers per second that fleets {target id: serving instances} can admit, and their limit.

    A target carries as much of the planned admission as it has of the instances needed for it; at its
    baseline, as much as the settings say of the baseline.
    """
    planned_rate, _limit = admission_rate(inputs)
    demands = group_demands(inputs)
    rates, limits = [], []
    for target in inputs.targets:
        needed = instances_needed(target=target, demands=demands, inputs=inputs)
        if not needed:
            continue
        size = verified_size(target=target, sizes=sizes)
        baseline_part = min(1.0, size / target.current_size) if target.current_size else 1.0
        rate = max(planned_rate * size / needed, inputs.baseline_per_second * baseline_part)
        rates.append(rate)
        if rate < planned_rate:
            limits.append(
                f"{target.name}: {size} {target.unit} serving, {short(needed)} needed; "
                f"enough for {short(rate)} shoppers a second."
            )
    return min(rates, default=max(planned_rate, inputs.baseline_per_second)), limits


@dataclass(frozen=True)
class Unscaled:
    """A group that must grow for the drop and that nothing scales."""

    reason: str  # which group, why, and what to do
    shoppers_per_second: float  # that can be admitted all the same


def unscaled_groups(*, inputs: PlanInputs, ended: Collection[int] = ()) -> list[Unscaled]:
    """Return the groups that must grow, but have no target and no word of ops that they stand as they are.

    The settings say which pace the groups behind admission can take without scaling. Nothing says it of the
    groups that everyone who comes reaches. `ended`: targets that aren't scaled for this drop any more.
    """
    demands = group_demands(inputs)
    planned_rate, _limit = admission_rate(inputs)
    found = []
    for group in GROUPS:
        percent = sum(
            share.percent
            for target in inputs.targets
            if target.id not in ended
            for share in target.shares
            if share.group == group
        )
        amount = demands[group].per_second * max(0, 100 - percent) / 100
        is_enough_for_admission = group not in LINE_GROUPS and planned_rate <= inputs.baseline_per_second
        if not amount or is_enough_for_admission:
            continue
        unscaled = _unscaled(group, amount=amount, percent=percent, planned_rate=planned_rate, inputs=inputs)
        if unscaled is not None:
            found.append(unscaled)
    return found


def _unscaled(
    group: str, *, amount: float, percent: int, planned_rate: float, inputs: PlanInputs
) -> Unscaled | None:
    """Return what is wrong with a group of which targets carry only `percent`; None if ops vouch for it."""
    fixed = inputs.fixed_groups.get(group)
    if fixed is None:
        carried = "no target carries it"
        if percent:
            carried = f"its targets carry only {percent} % of it"
        reason = (
            f"{group}: {carried}, and it needs {short(amount)}/s more. Add a target, or add it to the fixed"
            " groups with what it can take as it stands."
        )
        return Unscaled(reason, inputs.baseline_per_second)
    if fixed.per_second is None or fixed.per_second >= amount:
        return None
    reason = (
        f"{group}: it stands as it is ({fixed.reason}) and can take {short(fixed.per_second)}/s, but"
        f" {short(amount)}/s are needed. Add a target, or expect fewer shoppers."
    )
    return Unscaled(reason, max(planned_rate * fixed.per_second / amount, inputs.baseline_per_second))


def connection_use(*, sizes: Mapping[int, int], inputs: PlanInputs) -> ConnectionUse:
    """Add up the connections of fleets of {target id: size}.

    A target that isn't in `sizes` has its present size.
    """
    needed, terms, limits = inputs.connections_elsewhere, [], []
    for target in inputs.targets:
        size = sizes.get(target.id, target.current_size)
        if target.connections:
            needed += size * target.connections
            terms.append(f"{target.name} {size} × {target.connections}")
        if target.connection_limit:
            limits.append((size * target.connection_limit, target.name))
    if inputs.connections_elsewhere:
        terms.append(f"others {inputs.connections_elsewhere}")
    allowed, database = min(limits, default=(inputs.connections_allowed, "the database"))
    total = f"{' + '.join(terms) or 0} = {needed:,}"
    message = f"{total}; {database} allows {allowed:,}." if allowed else f"{total}."
    return ConnectionUse(needed, allowed, message)
