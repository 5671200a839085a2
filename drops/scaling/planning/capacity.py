"""Capacity of sizes: the instances that a demand needs, the shoppers that can be admitted, the connections.

Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from drops.scaling.planning.demand import GroupDemand, admission_rate, group_demands
from drops.scaling.planning.figures import short
from drops.scaling.planning.inputs import PlanInputs, ShareInputs, TargetInputs

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
