"""Tables for a terminal: a plan with its reasons, and the status of targets and steps."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from drops.models import Drop
from drops.scaling.control import alerts
from drops.scaling.models import Heartbeat, ScalePlan, Step, Target
from drops.scaling.planning.figures import short, whole
from drops.scaling.planning.planner import Plan, PlanLine

State = Step.State
NEEDS_APPROVAL = "needs approval"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Return rows set in columns; those with a number in `right` are aligned to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = []
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            if i in right:
                cells.append(cell.rjust(width))
            else:
                cells.append(cell.ljust(width))
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def plan_as_text(*, plan: Plan) -> str:
    """Return a plan as `manage.py scale plan` prints it: sizes, times, prices, then the reasons."""
    parts = [f"Plan of {plan.slug}: {whole(plan.expected)} shoppers expected"]
    parts += _list("Problems:", plan.problems)
    parts += _list("Warnings:", plan.warnings)
    parts.append(_demand(plan))
    if plan.lines:
        parts.append(_lines(plan.lines))
        price, always_on = dollars(plan.price), dollars(plan.always_on)
        parts.append(f"Cost: {price} for this drop; {always_on} a month if always on.")
    parts += _list("How it was calculated:", plan.notes)
    parts += ["\n".join([f"{line.target}:", *_indented(line.reasons)]) for line in plan.lines]
    return "\n\n".join(parts)


def _list(title: str, sentences: Sequence[str]) -> list[str]:
    if not sentences:
        return []
    return ["\n".join([title, *_indented(sentences)])]


def _indented(sentences: Sequence[str]) -> list[str]:
    return [f"  {sentence}" for sentence in sentences]


def _demand(plan: Plan) -> str:
    rows = []
    for group, demand in plan.demand.items():
        first, *others = demand.reasons or ("",)
        rows.append((group, short(demand.per_second), first))
        rows += [("", "", reason) for reason in others]
    return table(("group", "per second", "why"), rows, right=frozenset({1}))


def _lines(lines: Sequence[PlanLine]) -> str:
    head = ("target", "now", "desired", "unit", "starts", "needed", "cost", "")
    return table(head, [_line(line) for line in lines], right=frozenset({1, 2, 6}))


def _line(line: PlanLine) -> tuple[str, ...]:
    desired, remark = str(line.desired_size), ""
    if line.needs_approval:
        desired += f" ({line.allowed_size})"  # what is allowed without approval
        remark = NEEDS_APPROVAL
    return (
        line.target,
        str(line.current_size),
        desired,
        line.unit,
        clock(line.starts_at),
        clock(line.needed_at),
        dollars(line.price),
        remark,
    )


def dollars(amount: Decimal | None) -> str:
    """Return an amount in US dollars; a dash where no price is known."""
    if amount is None:
        return "–"
    return f"${amount:,.2f}"


def clock(moment: datetime | None) -> str:
    """Return a date and time in UTC."""
    if moment is None:
        return ""
    return f"{moment:%d %b %H:%M:%S}"


def status_as_text(*, now: datetime, drop: Drop | None = None) -> str:
    """Return targets and steps as `manage.py scale status` prints them: of one drop, or all live ones."""
    steps = Step.objects.select_related("drop", "target").order_by("drop__opens_at", "tier", "target__name")
    plans = ScalePlan.objects.exclude(verdict="").select_related("drop").order_by("drop__opens_at")
    if drop is not None:
        steps, plans = steps.filter(drop=drop), plans.filter(drop=drop)
    else:
        steps, plans = steps.exclude(state__in=Step.OVER), plans.filter(drop__in=Drop.objects.not_ended())
    parts = [_heartbeat(now), _targets(list(Target.objects.all())), _steps(list(steps))]
    parts += [_verdict(plan) for plan in plans]
    parts += _list("Open alerts:", [alert.message for alert in alerts.open_alerts()])
    return "\n\n".join(parts)


def _heartbeat(now: datetime) -> str:
    row = Heartbeat.objects.first()
    if row is None or row.ticked_at is None:
        return "No tick has run yet."
    age = max(0, round((now - row.ticked_at).total_seconds()))
    sentence = f"Last tick: {age} s ago, by {row.actor}."
    if row.paused_at:
        sentence += f" Pre-scaling is paused: {row.paused_reason}"
    return sentence


def _targets(targets: Sequence[Target]) -> str:
    if not targets:
        return "No targets are set up."
    head = ("target", "provider", "size", "ready", "baseline", "desired", "")
    return table(head, [_target(target) for target in targets], right=frozenset({2, 3, 4, 5}))


def _target(target: Target) -> tuple[str, ...]:
    observed_size = (target.observed or {}).get("size")
    sizes = [observed_size, target.ready_size, target.baseline_size, target.desired_size]
    remark = target.stopped_reason or target.error
    if not remark and not target.enabled:
        remark = "disabled"
    return (target.name, target.provider, *("–" if size is None else str(size) for size in sizes), remark)


def _steps(steps: Sequence[Step]) -> str:
    if not steps:
        return "No steps are under way."
    head = ("drop", "target", "desired", "state", "starts", "needed", "requested", "ready", "")
    return table(head, [_step(step) for step in steps], right=frozenset({2}))


def _step(step: Step) -> tuple[str, ...]:
    remark = step.message
    if not remark and step.needs_approval:
        remark = NEEDS_APPROVAL
    return (
        step.drop.slug,
        step.target.name,
        str(step.desired_size),
        str(State(step.state).label),
        clock(step.starts_at),
        clock(step.needed_at),
        clock(step.requested_at),
        clock(step.ready_at),
        remark,
    )


def _verdict(plan: ScalePlan) -> str:
    lines = [f"{plan.drop.slug}: {plan.verdict}", *_indented(plan.verdict_messages)]
    if plan.shoppers_per_second is not None:
        lines.append(f"  {plan.shoppers_per_second} shoppers a second can be admitted.")
    return "\n".join(lines)
