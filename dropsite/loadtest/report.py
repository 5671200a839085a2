"""A rehearsal's report: tables for a terminal, or one JSON object."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dropsite.loadtest.bill import APART, Bill
from dropsite.loadtest.browser import Site
from dropsite.loadtest.stories import End, Story
from dropsite.loadtest.verdicts import Verdict

FUNNEL = (
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
TIMES = {
    "join": "join_seconds",
    "turn": "turn_seconds",
    "hold": "hold_seconds",
    "pay to placed": "placed_seconds",
}
REACH_CPU_ORDER, REACH_SQL_ORDER = 60, 60  # ms and statements an order, with two shoppers a unit
REACH_CPU_SHOPPER = 15  # ms, with five shoppers a unit
REACH_MEMORY = 1024  # MiB


@dataclass(frozen=True, kw_only=True)
class Result:
    """All that a rehearsal found out. `bill` is None when the cost can't be told; `no_bill` then says why."""

    slug: str
    seed: int
    seconds: float
    stories: Sequence[Story]
    verdicts: Sequence[Verdict]
    site: Site
    still_open: int
    orders: int
    bill: Bill | None
    no_bill: str = ""

    @property
    def failed(self) -> list[Verdict]:
        return [verdict for verdict in self.verdicts if not verdict.ok]


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of at least one value."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def funnel(stories: Sequence[Story]) -> dict[str, int]:
    """How often each deed was done."""
    done = sum((story.deeds for story in stories), Counter[str]())
    return {name: done[name] for name in FUNNEL}


def ends(stories: Sequence[Story]) -> dict[str, int]:
    """How many visits ended how, in the order of End."""
    found = Counter(story.end for story in stories)
    return {str(end): found[end] for end in End if found[end]}


def times(stories: Sequence[Story]) -> dict[str, dict[str, float]]:
    """Seconds of each wait: how many, median, 95th percentile, longest."""
    table = {}
    for name, field in TIMES.items():
        values = [value for story in stories if (value := getattr(story, field)) is not None]
        if values:
            table[name] = {
                "count": len(values),
                "median": round(percentile(values, 0.5), 3),
                "p95": round(percentile(values, 0.95), 3),
                "longest": round(max(values), 3),
            }
    return table


def as_json(result: Result) -> dict[str, Any]:
    """The report for programs."""
    return {
        "slug": result.slug,
        "seed": result.seed,
        "shoppers": len(result.stories),
        "orders": result.orders,
        "seconds": round(result.seconds, 1),
        "funnel": funnel(result.stories),
        "ends": ends(result.stories),
        "times": times(result.stories),
        "answers": dict(result.site.routes),
        "holds_left_open": result.still_open,
        "checks": [verdict._asdict() for verdict in result.verdicts],
        "cost": asdict(result.bill) | {"stack_cpu": result.bill.stack_cpu} if result.bill else None,
        "ok": not result.failed,
    }


def summary(result: Result) -> str:
    """The last line of a good rehearsal."""
    some = f", {result.still_open} holds left open" if result.still_open else ""
    return (
        f"Rehearsal of {result.slug}: {len(result.stories)} shoppers, {result.orders} orders{some},"
        f" {len(result.verdicts)} checks hold ({result.seconds:.0f} s, seed {result.seed})."
    )


def as_text(result: Result) -> str:
    """The report for people."""
    parts = [_funnel(result), _times(result), _answers(result), _cost(result), _checks(result)]
    return "\n\n".join(part for part in parts if part)


def _funnel(result: Result) -> str:
    left = [f"{name:<22}{count:>6}" for name, count in funnel(result.stories).items()]
    right = [f"{name:<28}{count:>6}" for name, count in ends(result.stories).items()]
    rows = ["Deeds                          How visits ended"]
    for number in range(max(len(left), len(right))):
        pair = (left[number] if number < len(left) else "", right[number] if number < len(right) else "")
        rows.append(f"{pair[0]:<31}{pair[1]}".rstrip())
    return "\n".join(rows)


def _times(result: Result) -> str:
    rows = [f"{'Seconds':<16}{'count':>8}{'median':>9}{'p95':>9}{'longest':>9}"]
    for name, row in times(result.stories).items():
        rows.append(f"{name:<16}{row['count']:>8}{row['median']:>9.2f}{row['p95']:>9.2f}{row['longest']:>9.2f}")
    return "\n".join(rows)


def _answers(result: Result) -> str:
    line = "Answers: " + ", ".join(f"{name} × {count}" for name, count in sorted(result.site.answers.items()))
    where = [f"{name} at {', '.join(paths)}" for name, paths in result.site.examples.items()]
    return "\n".join([line, *where])


def _cost(result: Result) -> str:
    bill, orders, shoppers = result.bill, result.orders, len(result.stories)
    if bill is None:
        return f"Cost: not told. {result.no_bill}"

    def row(name: str, seconds: float, memory: float | None) -> str:
        order = f"{seconds * 1000 / orders:.1f}" if orders else "–"
        size = "" if memory is None else f"{memory:.0f}"
        return f"{name:<16}{seconds:>9.2f}{order:>11}{seconds * 1000 / max(1, shoppers):>12.2f}{size:>10}"

    rows = [f"{'Cost':<16}{'CPU s':>9}{'ms/order':>11}{'ms/shopper':>12}{'MiB':>10}"]
    inside = sorted((item for item in bill.cpu.items() if item[0] not in APART), key=lambda item: -item[1])
    rows += [row(name, seconds, bill.memory.get(name, 0.0)) for name, seconds in inside]
    rows.append(row("the stack", bill.stack_cpu, bill.peak))
    rows += [
        row(f"({name})", seconds, bill.memory.get(name, 0.0))
        for name, seconds in bill.cpu.items()
        if name in APART and (seconds or bill.memory.get(name))
    ]
    rows.append(row("(this crowd)", bill.crowd_cpu, None))
    return "\n".join([*rows, *_counts(bill, orders, shoppers), *_reach(bill, orders, shoppers)])


def _counts(bill: Bill, orders: int, shoppers: int) -> list[str]:
    commands = ", ".join(f"{name} {count}" for name, count in bill.commands.items())
    each = f"{bill.statements / orders:.1f} an order, " if orders else ""
    frames = f"and {bill.frames} that begin and end transactions"
    return [
        f"SQL statements: {bill.statements} ({each}{bill.statements / max(1, shoppers):.1f} a shopper), {frames}",
        f"Redis commands: {commands}",
    ]


def _reach(bill: Bill, orders: int, shoppers: int) -> list[str]:
    """Figures beside what is to be reached; which of them applies depends on the crowd."""
    cpu = bill.stack_cpu * 1000
    found = [f"{cpu / max(1, shoppers):.1f} ms a shopper (reach {REACH_CPU_SHOPPER}, at five a unit)"]
    if orders:
        found.append(f"{cpu / orders:.1f} ms an order (reach {REACH_CPU_ORDER}, at two a unit)")
        found.append(f"{bill.statements / orders:.1f} statements an order (reach {REACH_SQL_ORDER}, at two a unit)")
    found.append(f"{bill.peak:.0f} MiB (reach {REACH_MEMORY})")
    return ["Against the reach: " + "; ".join(found)]


def _checks(result: Result) -> str:
    rows = ["Checks"]
    rows += [f"{'ok' if ok else 'FAILS':<7}{name}: {detail}" for name, ok, detail in result.verdicts]
    return "\n".join(rows)
