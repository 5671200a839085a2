"""What is asked of a shop under a fault."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deploy.local.faults.kinds import Fault
from deploy.local.faults.sales import Sales
from deploy.local.faults.visitor import Visitor, quantile

CONTROL_SECONDS = 5.0  # just before the fault, for comparison
ALLOWED_DELAY_SECONDS = 0.3  # of a cached answer at its 99th percentile, against the control's
# The edge serves no status that may be 15 s old: of a gate that is silent for longer, there is none.
KEPT_SECONDS = {"status": 10.0}


@dataclass(frozen=True)
class Criterion:
    """A sentence that should be true, whether it is, and what was measured."""

    name: str
    ok: bool
    detail: str


def judge_sales(fault: Fault, sold: Sales, begun: datetime, ended: datetime) -> list[Criterion]:
    """Return whether holds were placed after the fault, and in it where it may not keep them away."""
    resumed = sold.seconds_until_next(ended)
    next_hold = "no hold after it"
    if resumed is not None:
        next_hold = f"the next hold {resumed:.1f} s after it"
    counts = "; ".join(
        f"{name}: {_count(moments, begun, ended)}"
        for name, moments in {"holds": sold.holds, "payments captured": sold.captures}.items()
    )
    name, limit = "sales resume by themselves", fault.resumes_within
    if limit is not None:
        name += f" within {limit:.0f} s"
    soon = resumed is not None and (limit is None or resumed <= limit)
    criteria = [Criterion(name, soon, f"{next_hold}; {counts}")]
    if fault.keeps_holding:
        during = sum(begun <= moment < ended for moment in sold.holds)
        criteria.append(Criterion("holds are placed all the while", during > 0, f"{during} holds"))
    return criteria


def _count(moments: Sequence[datetime], begun: datetime, ended: datetime) -> str:
    before = sum(moment < begun for moment in moments)
    after = sum(moment >= ended for moment in moments)
    return f"{before} before, {len(moments) - before - after} during, {after} after"


def judge_answers(fault: Fault, visitor: Visitor, begun: float, ended: float) -> list[Criterion]:
    """Return how fast cached pages were answered in the fault, compared with the seconds before it."""
    criteria = []
    for name in visitor.answers:
        control = visitor.between(name, begun - CONTROL_SECONDS, begun)
        answers = visitor.between(name, begun, min(ended, begun + KEPT_SECONDS.get(name, math.inf)))
        late = quantile(answers, 0.99) - quantile(control, 0.99)
        detail = (
            f"{len(answers)} asked; p50 {quantile(answers, 0.5) * 1000:.0f} ms,"
            f" p99 {quantile(answers, 0.99) * 1000:.0f} ms;"
            f" before, p50 {quantile(control, 0.5) * 1000:.0f} ms, p99 {quantile(control, 0.99) * 1000:.0f} ms"
        )
        ok = not fault.keeps_answering or late <= ALLOWED_DELAY_SECONDS
        criteria.append(Criterion(f"the {name} is answered as before", ok, detail))
    return criteria
