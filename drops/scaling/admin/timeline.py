"""The timeline of a drop's steps, as bars along one axis of time: what was planned above what came. Pure.

    planned    starts_at ─ needed_at
    came       moving ─ (late, from needed_at on) ─ ready ─ holding ─ releasing

Places on the axis are percentages written out ("12.5%"): they are attributes of SVG, since no inline style is allowed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from drops.models import Drop
from drops.scaling.admin import words
from drops.scaling.models import Step
from shop.core.datetimes import format_duration

TICKS = 7  # at most
KINDS = ("moving", "late", "ready", "holding", "releasing")
STEPS = [timedelta(seconds=s) for s in (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)]
DAY = timedelta(days=1)
MARGIN = 0.02  # of the whole, on both sides
LEAST = 0.4  # percent: what took a moment is to be seen too


@dataclass(frozen=True)
class Bar:
    """A stretch of time of one step."""

    kind: str  # planned, moving, late, ready, holding, releasing
    x: str
    width: str
    words: str


@dataclass(frozen=True)
class Mark:
    """A moment that concerns all steps."""

    kind: str  # tick, needed, lobby, opens, over, now
    x: str
    label: str
    at: datetime


@dataclass(frozen=True)
class Row:
    """One step with its bars, and its times in words."""

    step: Step
    move: str  # "2 → 8 workers"
    planned: Bar
    bars: list[Bar]
    times: list[tuple[str, str, bool]]  # what, when, whether it was late

    @property
    def label(self) -> str:
        """Say what the bars show."""
        return "; ".join(f"{what} {when}" for what, when, _late in self.times)


@dataclass(frozen=True)
class Timeline:
    """All steps of a drop along one axis."""

    rows: list[Row]
    ticks: list[Mark]
    marks: list[Mark]
    legend: list[tuple[str, str]]
    go_at: datetime
    zone: str


@dataclass(frozen=True)
class Axis:
    """Where a moment lies between the first and the last."""

    first: datetime
    last: datetime

    def percent(self, at: datetime) -> float:
        return 100 * min(1.0, max(0.0, (at - self.first) / (self.last - self.first)))

    def place(self, at: datetime) -> str:
        return f"{self.percent(at):.2f}%"

    def bar(self, kind: str, start: datetime, end: datetime, meaning: str) -> Bar:
        width = max(LEAST, self.percent(end) - self.percent(start))
        return Bar(kind, self.place(start), f"{width:.2f}%", meaning)


def draw(*, drop: Drop, steps: Sequence[Step], sizes: Mapping[int, int], now: datetime) -> Timeline | None:
    """Lay the steps of a drop along one axis, as they stand at `now`; None if there are none.

    `sizes` are the targets' sizes before the drop, by target.
    """
    if not steps:
        return None
    axis = axis_of(drop=drop, steps=steps, now=now)
    rows = [row(step=step, size=sizes.get(step.target_id), axis=axis, now=now) for step in steps]
    marked = list(marks(drop=drop, steps=steps, axis=axis, now=now))
    return Timeline(
        rows=rows,
        ticks=list(ticks(axis=axis)),
        marks=marked,
        legend=legend(rows=rows, marks=marked),
        go_at=min(step.needed_at for step in steps),
        zone=str(timezone.localtime(now).tzname()),
    )


def axis_of(*, drop: Drop, steps: Sequence[Step], now: datetime) -> Axis:
    """Span all that was planned and all that came; `now` too while a step is under way."""
    moments = [at for step in steps for at in times_of(step)] + [drop.lobby_opens_at, drop.opens_at]
    known = [at for at in moments if at is not None]
    first, last = min(known), max(known)
    if now > first and any(step.ended_at is None for step in steps):
        last = max(last, now)
    margin = max((last - first) * MARGIN, timedelta(seconds=1))
    return Axis(first - margin, last + margin)


def times_of(step: Step) -> tuple[datetime | None, ...]:
    """Give every time that a step has."""
    planned = (step.starts_at, step.needed_at)
    return (*planned, step.requested_at, step.ready_at, step.holding_at, step.released_at, step.ended_at)


def row(*, step: Step, size: int | None, axis: Axis, now: datetime) -> Row:
    """Draw one step."""
    planned = axis.bar("planned", step.starts_at, step.needed_at, _("planned"))
    drawn = list(bars(step=step, axis=axis, now=now))
    return Row(step=step, move=move(step=step, size=size), planned=planned, bars=drawn, times=told(step=step))


def move(*, step: Step, size: int | None) -> str:
    """Say what the step moves: from the size before, where it is known, to what is wanted."""
    wanted = words.size(target=step.target, count=step.wanted)
    before = step.target.baseline_size if step.target.baseline_size is not None else size
    return wanted if before is None else f"{before} → {wanted}"


def legend(*, rows: Sequence[Row], marks: Sequence[Mark]) -> list[tuple[str, str]]:
    """Say what each colour and line means that is there, in the order in which they come."""
    found = dict.fromkeys([("planned", _("planned"))])
    for kind in KINDS:
        found |= dict.fromkeys((bar.kind, bar.words) for row in rows for bar in row.bars if bar.kind == kind)
    day = rows[0].step.needed_at
    return [*found, *((mark.kind, f"{mark.label} {clock(mark.at, day=day)}") for mark in marks)]


def bars(*, step: Step, axis: Axis, now: datetime) -> Iterator[Bar]:
    """Draw what came of a step, up to now."""
    if step.requested_at is None:
        return
    over = step.released_at or step.ended_at or max(now, step.requested_at)
    arrived = min(step.ready_at or over, over)
    in_time = min(arrived, max(step.requested_at, step.needed_at))
    if step.requested_at < in_time or in_time == arrived:
        yield axis.bar("moving", step.requested_at, in_time, _("under way"))
    if in_time < arrived:
        yield axis.bar("late", in_time, arrived, _("late"))
    if step.ready_at is not None and step.ready_at < over:
        held = min(max(step.holding_at or over, step.ready_at), over)
        yield axis.bar("ready", step.ready_at, held, _("ready"))
        if held < over:
            yield axis.bar("holding", held, over, _("holding"))
    if step.released_at is not None:
        yield axis.bar("releasing", step.released_at, step.ended_at or max(now, step.released_at), _("going back"))


def told(*, step: Step) -> list[tuple[str, str, bool]]:
    """Write the times of a step, and by how much it was early or late."""
    day = step.needed_at
    found = [(_("planned"), f"{clock(step.starts_at, day=day)} – {clock(step.needed_at, day=day)}", False)]
    if step.requested_at:
        found.append((_("asked"), clock(step.requested_at, day=day), step.requested_at > step.needed_at))
    if step.ready_at:
        late = step.ready_at > step.needed_at
        span = format_duration(abs(step.needed_at - step.ready_at))
        sentence = (_("%(at)s, %(span)s late") if late else _("%(at)s, %(span)s early")) % {
            "at": clock(step.ready_at, day=day),
            "span": span,
        }
        found.append((_("ready"), sentence, late))
    for what, at in ((_("holding"), step.holding_at), (_("released"), step.released_at)):
        if at:
            found.append((what, clock(at, day=day), False))
    if step.ended_at:
        what = _("abandoned") if step.state == Step.State.ABANDONED else _("restored")
        found.append((what, clock(step.ended_at, day=day), False))
    return found


def clock(at: datetime, *, day: datetime) -> str:
    """Write the time of day; with its date if that is another than `day`'s."""
    local = timezone.localtime(at)
    same = local.date() == timezone.localtime(day).date()
    return date_format(local, "H:i:s" if same else "j M, H:i:s")


def marks(*, drop: Drop, steps: Sequence[Step], axis: Axis, now: datetime) -> Iterator[Mark]:
    """Give the moments that concern all steps, as far as they lie on the axis."""
    over = drop.ends_at if drop.ends_at and drop.ends_at <= now else None
    current = now if any(step.ended_at is None for step in steps) else None
    for kind, at, label in (
        ("needed", min(step.needed_at for step in steps), _("go or no go")),
        ("lobby", drop.lobby_opens_at, _("lobby opens")),
        ("opens", drop.opens_at, _("opens")),
        ("over", over, _("over")),
        ("now", current, _("now")),
    ):
        if at is not None and axis.first <= at <= axis.last:
            yield Mark(kind, axis.place(at), label, at)


def ticks(*, axis: Axis) -> Iterator[Mark]:
    """Give round times along the axis, in the desk's zone."""
    length = axis.last - axis.first
    every = next((step for step in STEPS if length / step <= TICKS), DAY * (1 + int(length / DAY / TICKS)))
    local = timezone.localtime(axis.first)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + every * (1 + (local - midnight) // every)
    form = "H:i:s" if every < timedelta(minutes=1) else "H:i" if every < DAY else "j M"
    while at <= axis.last:
        yield Mark("tick", axis.place(at), date_format(at, form), at)
        at += every
