"""A rehearsal's report: tables for a terminal, or one JSON object."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from dropsite.loadtest.assertions import Assertion
from dropsite.loadtest.cost.figures import NOT_THE_SHOP, Cost
from dropsite.loadtest.users.browser import Site
from dropsite.loadtest.users.sessions import Outcome, Session

EVENTS = (
    "arrived",
    "joined",
    "joined again",
    "entered",
    "found nothing free",
    "offered fewer",
    "held",
    "hold lapsed",
    "gave back",
    "pressed Pay",
    "declined",
    "placed",
)
DURATIONS = {
    "join": "join_seconds",
    "turn": "turn_seconds",
    "hold": "hold_seconds",
    "pay to placed": "placed_seconds",
}
# What is aimed at, with two shoppers a unit …
TARGET_CPU_MS_PER_ORDER = 60
TARGET_STATEMENTS_PER_ORDER = 60
# … with five shoppers a unit …
TARGET_CPU_MS_PER_SHOPPER = 15
# … and with any crowd.
TARGET_MEMORY_MIB = 1024


@dataclass(frozen=True, kw_only=True)
class Result:
    """The findings of a rehearsal. If `cost` is None, `cost_unavailable` says why it couldn't be measured."""

    slug: str
    seed: int
    seconds: float
    sessions: Sequence[Session]
    assertions: Sequence[Assertion]
    site: Site
    open_holds: int
    orders: int
    cost: Cost | None
    cost_unavailable: str = ""
    database_failures: int = 0  # of the rehearsal's own questions, which it asked again

    @property
    def failed(self) -> list[Assertion]:
        return [assertion for assertion in self.assertions if not assertion.ok]


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of at least one value."""
    rank = math.ceil(share * len(values))
    return sorted(values)[max(0, rank - 1)]


def count_events(sessions: Sequence[Session]) -> dict[str, int]:
    """Return {event: how often it happened}."""
    counts: Counter[str] = Counter()
    for session in sessions:
        counts.update(session.events)
    return {event: counts[event] for event in EVENTS}


def count_outcomes(sessions: Sequence[Session]) -> dict[str, int]:
    """Return {outcome: how many sessions}, in the order of Outcome; those without a session are left out."""
    counts = Counter(session.outcome for session in sessions)
    return {str(outcome): counts[outcome] for outcome in Outcome if counts[outcome]}


def summarise_durations(sessions: Sequence[Session]) -> dict[str, dict[str, float]]:
    """Return {wait: its count, and its median, 95th percentile and maximum in seconds}."""
    table = {}
    for name, attribute in DURATIONS.items():
        durations = [getattr(session, attribute) for session in sessions]
        values = [seconds for seconds in durations if seconds is not None]
        if values:
            table[name] = {
                "count": len(values),
                "median": round(percentile(values, 0.5), 3),
                "p95": round(percentile(values, 0.95), 3),
                "longest": round(max(values), 3),
            }
    return table


def as_json(result: Result) -> dict[str, Any]:
    """Return the report for programs."""
    cost = None
    if result.cost:
        cost = _cost_as_json(result.cost)
    return {
        "slug": result.slug,
        "seed": result.seed,
        "shoppers": len(result.sessions),
        "orders": result.orders,
        "seconds": round(result.seconds, 1),
        "funnel": count_events(result.sessions),
        "ends": count_outcomes(result.sessions),
        "times": summarise_durations(result.sessions),
        "answers": dict(result.site.routes),
        "holds_left_open": result.open_holds,
        "database_failures": result.database_failures,
        "checks": [assertion._asdict() for assertion in result.assertions],
        "cost": cost,
        "ok": not result.failed,
    }


def _cost_as_json(cost: Cost) -> dict[str, Any]:
    return {
        "cpu": cost.cpu_seconds,
        "crowd_cpu": cost.crowd_cpu_seconds,
        "memory": cost.memory_mib,
        "peak": cost.peak_mib,
        "statements": cost.statements,
        "frames": cost.transaction_statements,
        "commands": cost.redis_commands,
        "often": [[statement.calls, statement.milliseconds, statement.sql] for statement in cost.frequent],
        "stack_cpu": cost.shop_cpu_seconds,
    }


def summary(result: Result) -> str:
    """Return the last line of a rehearsal without failures."""
    parts = [f"{len(result.sessions)} shoppers", f"{result.orders} orders"]
    if result.open_holds:
        parts.append(f"{result.open_holds} holds still open")
    if result.database_failures:
        parts.append(f"its own database connection failed {result.database_failures} times")
    parts.append(f"all {len(result.assertions)} checks passed")
    return f"Rehearsal of {result.slug}: {', '.join(parts)} ({result.seconds:.0f} s, seed {result.seed})."


def as_text(result: Result) -> str:
    """Return the report for people."""
    if result.cost:
        cost = _cost_table(result.cost, orders=result.orders, shoppers=len(result.sessions))
    else:
        cost = f"Cost: not measured. {result.cost_unavailable}"
    parts = [_events_and_outcomes(result), _durations(result), _responses(result), cost, _assertions(result)]
    return "\n\n".join(parts)


def _events_and_outcomes(result: Result) -> str:
    events = [f"{name:<22}{count:>6}" for name, count in count_events(result.sessions).items()]
    outcomes = [f"{name:<28}{count:>6}" for name, count in count_outcomes(result.sessions).items()]
    rows = [f"{'Events':<31}Outcomes of the sessions"]
    rows += [f"{left:<31}{right}".rstrip() for left, right in zip_longest(events, outcomes, fillvalue="")]
    return "\n".join(rows)


def _durations(result: Result) -> str:
    rows = [f"{'Seconds':<16}{'count':>8}{'median':>9}{'p95':>9}{'longest':>9}"]
    for name, row in summarise_durations(result.sessions).items():
        figures = f"{row['median']:>9.2f}{row['p95']:>9.2f}{row['longest']:>9.2f}"
        rows.append(f"{name:<16}{row['count']:>8}{figures}")
    return "\n".join(rows)


def _responses(result: Result) -> str:
    counts = ", ".join(f"{status} × {count}" for status, count in sorted(result.site.responses.items()))
    rows = [f"Responses: {counts}"]
    rows += [f"{status} at {', '.join(paths)}" for status, paths in result.site.examples.items()]
    return "\n".join(rows)


def _cost_table(cost: Cost, *, orders: int, shoppers: int) -> str:
    def row(name: str, seconds: float, memory_mib: float | None) -> str:
        per_order = "–"
        if orders:
            per_order = f"{seconds * 1000 / orders:.1f}"
        per_shopper = f"{seconds * 1000 / max(1, shoppers):.2f}"
        memory = ""
        if memory_mib is not None:
            memory = f"{memory_mib:.0f}"
        return f"{name:<16}{seconds:>9.2f}{per_order:>11}{per_shopper:>12}{memory:>10}"

    by_cpu = sorted(cost.cpu_seconds.items(), key=lambda item: -item[1])
    shop = [(name, seconds) for name, seconds in by_cpu if name not in NOT_THE_SHOP]
    others = [
        (name, seconds)
        for name, seconds in cost.cpu_seconds.items()
        if name in NOT_THE_SHOP and (seconds or cost.memory_mib.get(name))
    ]
    rows = [f"{'Cost':<16}{'CPU s':>9}{'ms/order':>11}{'ms/shopper':>12}{'MiB':>10}"]
    rows += [row(name, seconds, cost.memory_mib.get(name, 0.0)) for name, seconds in shop]
    rows.append(row("the shop", cost.shop_cpu_seconds, cost.peak_mib))
    rows += [row(f"({name})", seconds, cost.memory_mib.get(name, 0.0)) for name, seconds in others]
    rows.append(row("(the shoppers)", cost.crowd_cpu_seconds, None))
    rows += _statement_counts(cost, orders=orders, shoppers=shoppers)
    rows.append(_targets(cost, orders=orders, shoppers=shoppers))
    return "\n".join(rows)


def _statement_counts(cost: Cost, *, orders: int, shoppers: int) -> list[str]:
    shares = f"{cost.statements / max(1, shoppers):.1f} per shopper"
    if orders:
        shares = f"{cost.statements / orders:.1f} per order, {shares}"
    commands = ", ".join(f"{server} {count}" for server, count in cost.redis_commands.items())
    transactions = f"{cost.transaction_statements} that begin or end transactions"
    return [
        f"SQL statements: {cost.statements} ({shares}), and {transactions}",
        f"Redis commands: {commands}",
    ]


def _targets(cost: Cost, *, orders: int, shoppers: int) -> str:
    """Return the figures beside their targets; which of these apply depends on the crowd."""
    cpu_ms = cost.shop_cpu_seconds * 1000
    parts = []

    def add(figure: str, target: int, crowd: str = "") -> None:
        parts.append(f"{figure} (target {target}{crowd})")

    per_shopper = cpu_ms / max(1, shoppers)
    add(f"{per_shopper:.1f} ms per shopper", TARGET_CPU_MS_PER_SHOPPER, ", with 5 shoppers a unit")
    if orders:
        crowd = ", with 2 shoppers a unit"
        add(f"{cpu_ms / orders:.1f} ms per order", TARGET_CPU_MS_PER_ORDER, crowd)
        add(f"{cost.statements / orders:.1f} statements per order", TARGET_STATEMENTS_PER_ORDER, crowd)
    add(f"{cost.peak_mib:.0f} MiB", TARGET_MEMORY_MIB)
    return "Compared with the targets: " + "; ".join(parts)


def _assertions(result: Result) -> str:
    rows = ["Checks"]
    for assertion in result.assertions:
        status = "ok"
        if not assertion.ok:
            status = "FAILED"
        row = f"{status:<8}{assertion.name}"
        if assertion.detail:
            row += f": {assertion.detail}"
        rows.append(row)
    return "\n".join(rows)
