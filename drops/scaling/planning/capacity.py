"""What sizes are good for: instances that a demand needs, shoppers that may be let in, connections. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from django.utils.translation import gettext as _

from drops.scaling.planning.demand import GroupDemand, admitted, demand, short
from drops.scaling.planning.inputs import Part, PlanInputs, TargetInputs

CORE_SHARE = 0.8  # of one core that a process is planned to use
LEAST = 1e-6  # a second, of what an instance does that can do nothing: such a plan is refused


@dataclass(frozen=True)
class Connections:
    """What a fleet of given sizes takes of the database's connections, and what the database allows at its size."""

    needed: int
    allowed: int  # 0: not known
    message: str  # the sum, as a sentence

    @property
    def fits(self) -> bool:
        """Whether the database has room for all of them."""
        return not self.allowed or self.needed <= self.allowed


def per_second(*, target: TargetInputs, part: Part, facts: PlanInputs) -> float:
    """Give what one instance can do of a group: as set, or less if a single process was seen to use more CPU for it."""
    weight = facts.weights.get(part.group)
    if target.one_core and weight and weight.cpu_seconds:
        return max(LEAST, min(part.per_second, CORE_SHARE / weight.cpu_seconds))
    return max(LEAST, part.per_second)


def instances(*, target: TargetInputs, asked: Mapping[str, GroupDemand], facts: PlanInputs) -> float:
    """Give how many instances the demand keeps busy, without any reserve."""
    return sum(
        asked[part.group].per_second * part.percent / 100 / per_second(target=target, part=part, facts=facts)
        for part in target.parts
    )


def verified(*, target: TargetInputs, sizes: Mapping[int, int | None]) -> int:
    """Give the size to believe in: what was read, else what was last verified, never below the baseline if unknown."""
    size = sizes.get(target.id)
    return size if size is not None else max(target.ready_size or 0, target.current_size)


def reachable(*, sizes: Mapping[int, int | None], facts: PlanInputs) -> tuple[float, list[str]]:
    """Give the shoppers a second that can be let in with {target id: size that serves}, and who binds that below plan.

    A size that is not known (None, or left out) counts as the last verified one, and never as less than the baseline.
    Each target carries as much of the planned admission as it has of the instances that this needs; at its baseline
    it carries what the settings say of the baseline.
    """
    planned, _bound = admitted(facts)
    asked, least, words = demand(facts), inf, []
    for target in facts.targets:
        need, size = instances(target=target, asked=asked, facts=facts), verified(target=target, sizes=sizes)
        if not need:
            continue
        carries = planned * size / need
        as_before = min(1.0, size / target.current_size) if target.current_size else 1.0
        carries = max(carries, facts.baseline_per_second * as_before)
        least = min(least, carries)
        if carries < planned:
            words.append(
                f"{target.name}: {size} {target.unit} serve, {short(need)} are needed: good for {short(carries)} shoppers a second."
            )
    return (max(planned, facts.baseline_per_second) if least == inf else least), words


def connections(*, sizes: Mapping[int, int], facts: PlanInputs) -> Connections:
    """Add up the connections of a fleet of {target id: size}; a target that is left out keeps the size it has."""
    parts, needed = [], facts.connections_elsewhere
    for target in facts.targets:
        if target.connections:
            size = sizes.get(target.id, target.current_size)
            needed += size * target.connections
            parts.append(f"{target.name} {size} × {target.connections}")
    if facts.connections_elsewhere:
        parts.append(f"others {facts.connections_elsewhere}")
    limits = [
        (sizes.get(target.id, target.current_size) * target.connection_limit, target.name)
        for target in facts.targets
        if target.connection_limit
    ]
    allowed, who = min(limits, default=(facts.connections_allowed, "the database"))
    words = f"{' + '.join(parts) or 0} = {needed:,}"
    if allowed:
        words += f", of {f'{allowed:,}'} that {who} allows"
    return Connections(needed, allowed, words + ".")
