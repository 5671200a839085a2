"""Weights: what one shopper asks of each group. Measured in the last drops where they were, else the figures below.

The defaults come from a rehearsal of 60 units with 300 shoppers on two cores (24 November 2026, seed 1): 324 joins,
116 passes, 64 holds, 55 orders in 89 s; its answers by route and its bill are the figures named. Where what one shopper
asks depends on whether there is something to buy, those who got a hold count: they are the ones in the busiest second.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from drops.scaling.planning.demand import short, whole
from drops.scaling.planning.inputs import GROUPS, LINE, Weight

LAST = 3  # drops that are learned from: older ones were another shop
FEWEST_SHOPPERS = 50  # of a drop that teaches anything
FEWEST_REQUESTS = 2000  # below that, CPU is mostly what processes use while they wait

DEFAULTS: dict[str, Weight] = {
    weight.group: weight
    for weight in (
        Weight(
            group="edge", per_arrival=14, per_admitted=14,
            evidence=("default: the page, its 12 files, the join; 915 requests of 116 passes, the checkout's files",),
        ),
        Weight(
            group="gate", per_arrival=1.1, per_admitted=1.5, steady=2, cpu_seconds=0.000124,
            evidence=("default: 324 joins of 300 shoppers, one pass and now and then a “not yet”; 124 µs of CPU each",),
        ),
        Weight(
            group="web", per_admitted=9, steady=3, cpu_seconds=0.0063,
            evidence=("default: a rehearsal's 573 requests of 64 shoppers with a hold; 4.25 s of CPU for 671",),
        ),
        Weight(
            group="hooks", per_admitted=2, cpu_seconds=0.0043,
            evidence=("default: a rehearsal's 129 webhooks of 64 shoppers with a hold; 0.56 s of CPU for them",),
        ),
        Weight(
            group="checkout", per_admitted=1.2, steady=0.2, cpu_seconds=0.017,
            evidence=("default: a rehearsal's 76 attempts of 64 shoppers with a hold; 1.27 s of CPU for them",),
        ),
        Weight(
            group="capture", per_admitted=2, steady=0.2, cpu_seconds=0.008,
            evidence=("default: a rehearsal's 129 events of 64 shoppers with a hold; 1.03 s of CPU for them",),
        ),
        Weight(
            group="database", per_admitted=60, steady=10, cpu_seconds=0.00039,
            evidence=("default: a rehearsal's 4,719 statements, 10 a second of them ticks; 1.82 s of CPU for them",),
        ),
        Weight(
            group="line redis", per_arrival=9, per_admitted=9, steady=20, cpu_seconds=0.000034,
            evidence=("default: a rehearsal's 5,894 commands for 440 joins and passes, 20 a second of them ticks",),
        ),
    )
}  # fmt: skip

# What one instance can do in a second, to begin with: what ops fill in for a new target's share.
CAPACITY: dict[str, tuple[float, str]] = {
    "edge": (20_000, "one core of nginx: 15 to 31 µs of CPU a request, with half of it to spare"),
    "gate": (6_000, "one worker: 124 µs of CPU a join, with a fifth to spare"),
    "web": (100, "one worker: 6.3 ms of CPU a request, with a third to spare"),
    "hooks": (150, "one worker: 4.3 ms of CPU a webhook, with a third to spare"),
    "checkout": (1, "one process waits for two calls to Stripe: about 0.7 s an attempt"),
    "capture": (4, "one process: 8 ms of CPU an event, and a call to Stripe for each capture"),
    "database": (1_500, "one core: 0.39 ms of CPU a statement, with two fifths to spare"),
    "line redis": (25_000, "one server: 34 µs a command in a rehearsal, 70,000 commands a second by itself"),
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one group used in one drop, and how many shoppers joined and got a pass."""

    slug: str
    group: str
    shoppers: int
    entered: int
    seconds: float = 0.0  # from the lobby's opening to the end
    requests: int | None = None
    peak_per_second: float | None = None
    cpu_seconds: float | None = None
    slots: int | None = None
    connections: int | None = None


def learn(rows: Iterable[Measured]) -> Mapping[str, Weight]:
    """Give each group's weight: the default, changed by what the last drops showed. `rows`: the newest drop first."""
    by_group: dict[str, list[Measured]] = {group: [] for group in GROUPS}
    for row in rows:
        if row.group in by_group and row.shoppers >= FEWEST_SHOPPERS and len(by_group[row.group]) < LAST:
            by_group[row.group].append(row)
    return {group: _learned(DEFAULTS[group], found) for group, found in by_group.items()}


def _learned(weight: Weight, rows: list[Measured]) -> Weight:
    """The largest of what was seen counts: a drop must not fail because another one was easy."""
    told = []
    for row in rows:
        used = [f"{whole(row.requests)} units of work"] if row.requests else []
        used += [f"{short(row.peak_per_second)}/s at the most"] if row.peak_per_second else []
        used += [f"{short(row.cpu_seconds)} s of CPU"] if row.cpu_seconds else []
        used += [f"{row.slots} slots"] if row.slots else []
        used += [f"{row.connections} connections"] if row.connections else []
        if used:
            sizes = {"slug": row.slug, "n": whole(row.shoppers), "in": whole(row.entered), "used": ", ".join(used)}
            told.append(_("%(slug)s: %(n)s joined, %(in)s let in, used %(used)s") % sizes)
    if not told:
        return weight
    changed = replace(weight, evidence=tuple(told))
    busiest = max(rows, key=lambda row: row.requests or 0)
    if busiest.cpu_seconds and busiest.requests and busiest.requests >= FEWEST_REQUESTS:
        changed = replace(changed, cpu_seconds=busiest.cpu_seconds / busiest.requests)
    if weight.group in LINE:
        peaks = [row.peak_per_second / row.shoppers for row in rows if row.peak_per_second]
        return replace(changed, peak_per_shopper=max(peaks)) if peaks else changed
    each = [(row.requests - weight.steady * row.seconds) / row.entered for row in rows if row.requests and row.entered]
    return replace(changed, per_admitted=max(each)) if max(each, default=0) > 0 else changed
