"""Weights: how much work one shopper makes for each group, as measured in the last drops, or by default.

The defaults come from a load test of 60 units with 300 shoppers on two cores (24 November 2026, seed 1): 324
joins, 116 passes, 64 holds and 55 orders in 89 s. Where the work of one shopper depends on whether there is
something to buy, it is counted per shopper with a hold: those are the ones in the busiest second.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from drops.scaling.planning.figures import short, whole
from drops.scaling.planning.inputs import GROUPS, LINE_GROUPS, Weight

MAX_DROPS = 3  # that are learned from: what is older was measured on different code
MIN_SHOPPERS = 50  # who joined a drop that is learned from
MIN_REQUESTS = 2000  # with fewer, most of the CPU time is what idle processes use

DEFAULT_WEIGHTS: dict[str, Weight] = {
    weight.group: weight
    for weight in (
        Weight(
            group="edge", per_arrival=14, per_admitted=14,
            evidence=("default: the page, its 12 files and the join; 915 requests of 116 passes, the checkout",),
        ),
        Weight(
            group="gate", per_arrival=1.1, per_admitted=1.5, steady=2, cpu_seconds=0.000124,
            evidence=("default: 324 joins of 300 shoppers, one pass and sometimes a “not yet”; 124 µs of CPU each",),
        ),
        Weight(
            group="web", per_admitted=9, steady=3, cpu_seconds=0.0063,
            evidence=("default: a load test's 573 requests of 64 shoppers with a hold; 4.25 s of CPU for 671",),
        ),
        Weight(
            group="hooks", per_admitted=2, cpu_seconds=0.0043,
            evidence=("default: a load test's 129 webhooks of 64 shoppers with a hold; 0.56 s of CPU for them",),
        ),
        Weight(
            group="checkout", per_admitted=1.2, steady=0.2, cpu_seconds=0.017,
            evidence=("default: a load test's 76 attempts of 64 shoppers with a hold; 1.27 s of CPU for them",),
        ),
        Weight(
            group="capture", per_admitted=2, steady=0.2, cpu_seconds=0.008,
            evidence=("default: a load test's 129 events of 64 shoppers with a hold; 1.03 s of CPU for them",),
        ),
        Weight(
            group="database", per_admitted=60, steady=10, cpu_seconds=0.00039,
            evidence=("default: a load test's 4,719 statements, 10 a second of them ticks; 1.82 s of CPU for them",),
        ),
        Weight(
            group="line redis", per_arrival=9, per_admitted=9, steady=20, cpu_seconds=0.000034,
            evidence=("default: a load test's 5,894 commands for 440 joins and passes, 20 a second of them ticks",),
        ),
    )
}  # fmt: skip

# What one instance can do per second, until it is measured: suggested to ops for the share of a new target.
DEFAULT_THROUGHPUT: dict[str, tuple[float, str]] = {
    "edge": (20_000, "one core of nginx: 15 to 31 µs of CPU per request, with half of the core to spare"),
    "gate": (6_000, "one worker: 124 µs of CPU per join, with a fifth to spare"),
    "web": (100, "one worker: 6.3 ms of CPU per request, with a third to spare"),
    "hooks": (150, "one worker: 4.3 ms of CPU per webhook, with a third to spare"),
    "checkout": (1, "one process waits for two calls to Stripe: about 0.7 s per attempt"),
    "capture": (4, "one process: 8 ms of CPU per event, and a call to Stripe for each capture"),
    "database": (1_500, "one core: 0.39 ms of CPU per statement, with two fifths to spare"),
    "line redis": (
        25_000,
        "one server: 34 µs per command in a load test, 70,000 commands a second on its own",
    ),
}


@dataclass(frozen=True, kw_only=True)
class MeasuredDemand:
    """What one group used in one drop, and how many shoppers joined and entered."""

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


def learn(rows: Iterable[MeasuredDemand]) -> Mapping[str, Weight]:
    """Return each group's weight: the default, changed by what the last drops showed.

    `rows`: newest drop first.
    """
    by_group: dict[str, list[MeasuredDemand]] = {group: [] for group in GROUPS}
    for row in rows:
        if row.group in by_group and row.shoppers >= MIN_SHOPPERS and len(by_group[row.group]) < MAX_DROPS:
            by_group[row.group].append(row)
    return {group: _learned(DEFAULT_WEIGHTS[group], found) for group, found in by_group.items()}


def _learned(weight: Weight, rows: list[MeasuredDemand]) -> Weight:
    """Return the weight with the largest figures measured: an easy drop must not make the next plan fail."""
    evidence = tuple(sentence for row in rows if (sentence := _evidence(row)))
    if not evidence:
        return weight
    learned = replace(weight, evidence=evidence)
    busiest = max(rows, key=lambda row: row.requests or 0)
    if busiest.cpu_seconds and busiest.requests and busiest.requests >= MIN_REQUESTS:
        learned = replace(learned, cpu_seconds=busiest.cpu_seconds / busiest.requests)
    if weight.group in LINE_GROUPS:
        peaks = [row.peak_per_second / row.shoppers for row in rows if row.peak_per_second]
        return replace(learned, peak_per_shopper=max(peaks)) if peaks else learned
    per_admitted = max(
        (
            (row.requests - weight.steady * row.seconds) / row.entered
            for row in rows
            if row.requests and row.entered
        ),
        default=0,
    )
    return replace(learned, per_admitted=per_admitted) if per_admitted > 0 else learned


def _evidence(row: MeasuredDemand) -> str:
    """Return what a drop used, as a sentence; empty if nothing was measured."""
    used = []
    if row.requests:
        used.append(f"{whole(row.requests)} units of work")
    if row.peak_per_second:
        used.append(f"at most {short(row.peak_per_second)}/s")
    if row.cpu_seconds:
        used.append(f"{short(row.cpu_seconds)} s of CPU")
    if row.slots:
        used.append(f"{row.slots} slots")
    if row.connections:
        used.append(f"{row.connections} connections")
    if not used:
        return ""
    return f"{row.slug}: {whole(row.shoppers)} joined, {whole(row.entered)} entered, used {', '.join(used)}"
