"""The timeline of a drop's steps, as bars along one time axis: what was planned above what happened. Pure.

    planned    starts_at ─ needed_at
    happened   moving ─ (late, from needed_at on) ─ ready ─ holding ─ releasing

Positions on the axis are percentages written out ("12.5%"): they are SVG attributes, since no inline style is
allowed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format

from drops.models import Drop
from drops.scaling.admin import display
from drops.scaling.models import Step
from shop.core.datetimes import format_duration

MAX_TICKS = 7
BAR_KINDS = ("moving", "late", "ready", "holding", "releasing")
TICK_SECONDS = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MARGIN = 0.02  # on each side, as a part of the whole
MIN_WIDTH_PERCENT = 0.4  # so that a bar of a moment is visible, too


@dataclass(frozen=True)
class Bar:
    """A stretch of time of one step."""

    kind: str  # "planned" or one of BAR_KINDS
    x: str
    width: str
    meaning: str


@dataclass(frozen=True)
class Mark:
    """A moment that concerns all steps."""

    kind: str  # tick, needed, lobby, opens, over, now
    x: str
    label: str
    at: datetime


@dataclass(frozen=True)
class TimeEntry:
    """A time of a step, in words."""

    label: str
    text: str
    is_late: bool = False


@dataclass(frozen=True)
class Row:
    """One step with its bars and its times in words."""

    step: Step
    size_change: str  # "2 → 8 workers"
    planned: Bar
    bars: list[Bar]
    times: list[TimeEntry]

    @property
    def label(self) -> str:
        """Return what the bars show, for screen readers."""
        return "; ".join(f"{entry.label} {entry.text}" for entry in self.times)


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
    """The span of time that is drawn."""

    first: datetime
    last: datetime

    def percent(self, at: datetime) -> float:
        return 100 * min(1.0, max(0.0, (at - self.first) / (self.last - self.first)))

    def position(self, at: datetime) -> str:
        return f"{self.percent(at):.2f}%"

    def bar(self, kind: str, start: datetime, end: datetime, meaning: str) -> Bar:
        width = max(MIN_WIDTH_PERCENT, self.percent(end) - self.percent(start))
        return Bar(kind, self.position(start), f"{width:.2f}%", meaning)


def draw(*, drop: Drop, steps: Sequence[Step], sizes: Mapping[int, int], now: datetime) -> Timeline | None:
    """Draw the steps of a drop along one axis, as of `now`; None if there are none.

    `sizes` are the targets' sizes before the drop, by target id.
    """
    if not steps:
        return None
    axis = axis_of(drop=drop, steps=steps, now=now)
    rows = [draw_row(step=step, size=sizes.get(step.target_id), axis=axis, now=now) for step in steps]
    drawn_marks = list(marks(drop=drop, steps=steps, axis=axis, now=now))
    return Timeline(
        rows=rows,
        ticks=list(ticks(axis=axis)),
        marks=drawn_marks,
        legend=legend(rows=rows, marks=drawn_marks),
        go_at=min(step.needed_at for step in steps),
        zone=str(timezone.localtime(now).tzname()),
    )


def axis_of(*, drop: Drop, steps: Sequence[Step], now: datetime) -> Axis:
    """Return an axis with all that was planned and that happened; up to `now` if a step is under way."""
    moments = [at for step in steps for at in moments_of(step)] + [drop.lobby_opens_at, drop.opens_at]
    known = [at for at in moments if at is not None]
    first, last = min(known), max(known)
    if now > first and any(step.ended_at is None for step in steps):
        last = max(last, now)
    margin = max((last - first) * MARGIN, timedelta(seconds=1))
    return Axis(first - margin, last + margin)


def moments_of(step: Step) -> tuple[datetime | None, ...]:
    """Return every time that a step has."""
    planned = (step.starts_at, step.needed_at)
    return (*planned, step.requested_at, step.ready_at, step.holding_at, step.released_at, step.ended_at)


def draw_row(*, step: Step, size: int | None, axis: Axis, now: datetime) -> Row:
    """Draw one step."""
    return Row(
        step=step,
        size_change=size_change(step=step, size=size),
        planned=axis.bar("planned", step.starts_at, step.needed_at, "planned"),
        bars=list(bars(step=step, axis=axis, now=now)),
        times=list(times(step=step)),
    )


def size_change(*, step: Step, size: int | None) -> str:
    """Return how the step changes its target's size; only the desired size if the one before isn't known."""
    desired = display.size(target=step.target, count=step.desired_size)
    before = step.target.baseline_size
    if before is None:
        before = size
    if before is None:
        return desired
    return f"{before} → {desired}"


def legend(*, rows: Sequence[Row], marks: Sequence[Mark]) -> list[tuple[str, str]]:
    """Return the meaning of each colour and line that is drawn, in the order in which they appear."""
    entries = [("planned", "planned")]
    for kind in BAR_KINDS:
        meanings = [bar.meaning for row in rows for bar in row.bars if bar.kind == kind]
        if meanings:
            entries.append((kind, meanings[0]))
    day = rows[0].step.needed_at
    return entries + [(mark.kind, f"{mark.label} {clock(mark.at, day=day)}") for mark in marks]


def bars(*, step: Step, axis: Axis, now: datetime) -> Iterator[Bar]:
    """Draw what happened to a step until now."""
    if step.requested_at is None:
        return
    over = step.released_at or step.ended_at or max(now, step.requested_at)
    arrived = min(step.ready_at or over, over)
    in_time = min(arrived, max(step.requested_at, step.needed_at))
    if step.requested_at < in_time or in_time == arrived:
        yield axis.bar("moving", step.requested_at, in_time, "under way")
    if in_time < arrived:
        yield axis.bar("late", in_time, arrived, "late")
    if step.ready_at is not None and step.ready_at < over:
        held = min(max(step.holding_at or over, step.ready_at), over)
        yield axis.bar("ready", step.ready_at, held, "ready")
        if held < over:
            yield axis.bar("holding", held, over, "holding")
    if step.released_at is not None:
        ended = step.ended_at or max(now, step.released_at)
        yield axis.bar("releasing", step.released_at, ended, "returning to baseline")


def times(*, step: Step) -> Iterator[TimeEntry]:
    """Return the times of a step in words, and by how much it was early or late."""
    day = step.needed_at
    yield TimeEntry("planned", f"{clock(step.starts_at, day=day)} – {clock(step.needed_at, day=day)}")
    if step.requested_at:
        yield TimeEntry("requested", clock(step.requested_at, day=day), step.requested_at > step.needed_at)
    if step.ready_at:
        is_late = step.ready_at > step.needed_at
        difference = format_duration(abs(step.needed_at - step.ready_at))
        text = f"{clock(step.ready_at, day=day)}, {difference} early"
        if is_late:
            text = f"{clock(step.ready_at, day=day)}, {difference} late"
        yield TimeEntry("ready", text, is_late)
    if step.holding_at:
        yield TimeEntry("holding", clock(step.holding_at, day=day))
    if step.released_at:
        yield TimeEntry("released", clock(step.released_at, day=day))
    if step.ended_at:
        label = "restored"
        if step.state == Step.State.ABANDONED:
            label = "abandoned"
        yield TimeEntry(label, clock(step.ended_at, day=day))


def clock(at: datetime, *, day: datetime) -> str:
    """Return the time of day; with its date if that isn't `day`'s."""
    local = timezone.localtime(at)
    if local.date() == timezone.localtime(day).date():
        return date_format(local, "H:i:s")
    return date_format(local, "j M, H:i:s")


def marks(*, drop: Drop, steps: Sequence[Step], axis: Axis, now: datetime) -> Iterator[Mark]:
    """Return the moments that concern all steps, as far as they lie on the axis."""
    over = None
    if drop.ends_at and drop.ends_at <= now:
        over = drop.ends_at
    current = None
    if any(step.ended_at is None for step in steps):
        current = now
    for kind, at, label in (
        ("needed", min(step.needed_at for step in steps), "go / no-go"),
        ("lobby", drop.lobby_opens_at, "lobby opens"),
        ("opens", drop.opens_at, "drop opens"),
        ("over", over, "drop over"),
        ("now", current, "now"),
    ):
        if at is not None and axis.first <= at <= axis.last:
            yield Mark(kind, axis.position(at), label, at)


def ticks(*, axis: Axis) -> Iterator[Mark]:
    """Return round times along the axis, in the shop's time zone."""
    every = tick_interval(axis.last - axis.first)
    if every < MINUTE:
        form = "H:i:s"
    elif every < DAY:
        form = "H:i"
    else:
        form = "j M"
    local = timezone.localtime(axis.first)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + every * (1 + (local - midnight) // every)
    while at <= axis.last:
        yield Mark("tick", axis.position(at), date_format(at, form), at)
        at += every


def tick_interval(length: timedelta) -> timedelta:
    """Return the shortest interval that makes no more than MAX_TICKS ticks."""
    for seconds in TICK_SECONDS:
        interval = timedelta(seconds=seconds)
        if length / interval <= MAX_TICKS:
            return interval
    return DAY * (1 + int(length / DAY / MAX_TICKS))
