"""Tables for a terminal: a plan with its reasons, and how targets and steps stand."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _

from drops.models import Drop
from drops.scaling.models import Heartbeat, ScalePlan, Step, Target
from drops.scaling.planning.demand import short, whole
from drops.scaling.planning.planner import Plan, PlanLine
from shop.core.models import Alert

State = Step.State


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Set rows in columns; those in `right` are set to the right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = []
    for row in [head, *rows]:
        cells = [
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def plan_as_text(*, plan: Plan) -> str:
    """Give the plan as `manage.py scale plan` shows it: sizes, times, prices, then every figure's reason."""
    head = _("Plan of %(drop)s: %(n)s shoppers expected") % {"drop": plan.slug, "n": whole(plan.expected)}
    parts = [head, *_listed(_("Refused:"), plan.problems), *_listed(_("Warnings:"), plan.warnings)]
    parts.append(_demand(plan))
    if plan.lines:
        parts.append(_lines(plan.lines))
        parts.append(
            _("Cost: %(price)s for this drop; %(always)s a month if it stood always.")
            % {"price": dollars(plan.price), "always": dollars(plan.always_on)}
        )
    parts += _listed(_("How it was reckoned:"), plan.notes)
    parts += [_reasons(line.target, line.reasons) for line in plan.lines]
    return "\n\n".join(parts)


def _listed(title: str, words: Sequence[str]) -> list[str]:
    return ["\n".join([title, *(f"  {line}" for line in words)])] if words else []


def _demand(plan: Plan) -> str:
    rows = []
    for group, one in plan.demand.items():
        first, *others = one.reasons or ("",)
        rows.append((group, short(one.per_second), first))
        rows += [("", "", reason) for reason in others]
    return table((_("group"), _("a second"), _("why")), rows, right=frozenset({1}))


def _lines(lines: Sequence[PlanLine]) -> str:
    rows = [
        (
            line.target,
            str(line.now_size),
            str(line.wanted) + (f" ({line.allowed})" if line.held_back else ""),
            line.unit,
            clock(line.starts_at),
            clock(line.needed_at),
            dollars(line.price),
            _("waits for ops") if line.held_back else "",
        )
        for line in lines
    ]
    head = (_("target"), _("now"), _("wanted"), _("of"), _("starts"), _("needed"), _("cost"), "")
    return table(head, rows, right=frozenset({1, 2, 6}))


def _reasons(name: str, reasons: Sequence[str]) -> str:
    return "\n".join([f"{name}:", *(f"  {reason}" for reason in reasons)])


def dollars(amount: Decimal | None) -> str:
    """Say a sum; a dash where no price is known."""
    return "–" if amount is None else f"${amount:,.2f}"


def clock(moment: datetime | None) -> str:
    """Say a time of day, in UTC, with its day."""
    return f"{moment:%d %b %H:%M:%S}" if moment else ""


def status_as_text(*, now: datetime, drop: Drop | None = None) -> str:
    """Give the targets and the live steps as `manage.py scale status` shows them; of one drop, or of all."""
    steps = Step.objects.select_related("drop", "target")
    steps = steps.filter(drop=drop) if drop else steps.exclude(state__in=Step.OVER)
    scale_plans = ScalePlan.objects.select_related("drop").order_by("drop__opens_at")
    scale_plans = scale_plans.filter(drop=drop) if drop else scale_plans.filter(drop__in=Drop.objects.not_ended())
    parts = [_pulse(now), _targets(list(Target.objects.all()))]
    parts.append(_steps(list(steps.order_by("drop__opens_at", "tier", "target__name"))))
    parts += [words for row in scale_plans if (words := _verdict(row))]
    parts += _listed(_("Open alerts:"), [alert.message for alert in Alert.objects.open()])
    return "\n\n".join(parts)


def _pulse(now: datetime) -> str:
    row = Heartbeat.objects.first()
    if row is None or row.ticked_at is None:
        return _("There was no tick yet.")
    words = _("The last tick was %(n)s s ago, by %(who)s.") % {
        "n": max(0, round((now - row.ticked_at).total_seconds())),
        "who": row.who,
    }
    if row.paused_at:
        words += " " + _("Pre-scaling is paused: %(why)s") % {"why": row.paused_reason}
    return words


def _targets(rows: Sequence[Target]) -> str:
    if not rows:
        return _("No target is set up.")
    head = (_("target"), _("kind"), _("size"), _("ready"), _("baseline"), _("asked"), "")
    return table(head, [_target(row) for row in rows], right=frozenset({2, 3, 4, 5}))


def _target(row: Target) -> tuple[str, ...]:
    seen = (row.seen or {}).get("size")
    sizes = [seen, row.ready_size, row.baseline_size, row.asked_size]
    words = "" if row.enabled else _("not enabled")
    return (
        row.name,
        row.kind,
        *("–" if size is None else str(size) for size in sizes),
        row.stopped_reason or row.fault or words,
    )


def _steps(rows: Sequence[Step]) -> str:
    if not rows:
        return _("No step is under way.")
    head = (_("drop"), _("target"), _("wanted"), _("state"), _("starts"), _("needed"), _("requested"), _("ready"), "")
    cells = [
        (
            row.drop.slug,
            row.target.name,
            str(row.wanted),
            str(State(row.state).label),
            clock(row.starts_at),
            clock(row.needed_at),
            clock(row.requested_at),
            clock(row.ready_at),
            row.message or (_("waits for ops") if row.held_back else ""),
        )
        for row in rows
    ]
    return table(head, cells, right=frozenset({2}))


def _verdict(row: ScalePlan) -> str:
    if not row.verdict:
        return ""
    words = [f"{row.drop.slug}: {row.verdict}", *(f"  {line}" for line in row.verdict_words)]
    if row.reachable is not None:
        words.append("  " + _("%(n)s shoppers a second can be let in.") % {"n": row.reachable})
    return "\n".join(words)
