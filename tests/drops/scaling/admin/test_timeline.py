"""The timeline of a drop's steps: the positions of its bars, their meaning, the times. Writes no rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

from drops.models import Drop
from drops.scaling.admin import timeline
from drops.scaling.admin.timeline import TimeEntry, Timeline
from drops.scaling.models import Step, Target

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    return NOON + minutes * MINUTE


def make(**times: float) -> Step:
    """A step that starts at noon, needed ten minutes later; `times` are minutes after noon."""
    fields = {name: at(minutes) for name, minutes in ({"starts_at": 0, "needed_at": 10} | times).items()}
    target = Target(id=1, name="Web", provider="none")
    state = "restored" if times.get("ended_at") else "ready"
    return Step(target=target, desired_size=8, tier=1, state=state, **fields)


def draw(*steps: Step, now: float = 30, **fields: Any) -> Timeline:
    drop = Drop(title="Zero", lobby_opens_at=at(20), opens_at=at(25), **fields)
    drawn = timeline.draw(drop=drop, steps=steps, sizes={1: 2}, now=at(now))
    assert drawn is not None
    return drawn


def kinds(drawn: Timeline) -> list[list[str]]:
    return [[bar.kind for bar in row.bars] for row in drawn.rows]


def percent(position: str) -> float:
    return float(position.removesuffix("%"))


def test_draw_of_no_step_is_nothing() -> None:
    assert timeline.draw(drop=Drop(), steps=[], sizes={}, now=NOON) is None


def test_step_not_requested_has_its_plan_only() -> None:
    drawn = draw(make(), now=-5)

    assert kinds(drawn) == [[]]
    assert drawn.rows[0].times == [TimeEntry("planned", "12:00:00 – 12:10:00")]
    assert [mark.kind for mark in drawn.marks] == ["needed", "lobby", "opens"]


def test_step_in_time_goes_from_under_way_to_restored() -> None:
    drawn = draw(make(requested_at=0, ready_at=4, holding_at=20, released_at=40, ended_at=44), now=60)

    assert kinds(drawn) == [["moving", "ready", "holding", "releasing"]]
    assert [entry.text for entry in drawn.rows[0].times if entry.label == "ready"] == [
        "12:04:00, 6 minutes early"
    ]
    assert [entry.label for entry in drawn.rows[0].times] == [
        "planned", "requested", "ready", "holding", "released", "restored",
    ]  # fmt: skip


def test_bars_follow_one_another_without_a_gap() -> None:
    (row,) = draw(make(requested_at=0, ready_at=4, holding_at=20, released_at=40, ended_at=44), now=60).rows

    ends = [percent(bar.x) + percent(bar.width) for bar in row.bars]
    starts = [percent(bar.x) for bar in row.bars]
    assert [round(end - start, 1) for end, start in zip(ends, starts[1:], strict=False)] == [0, 0, 0]


def test_late_part_begins_when_it_was_needed() -> None:
    (row,) = draw(make(requested_at=0, ready_at=14)).rows

    assert [bar.kind for bar in row.bars] == ["moving", "late", "ready"]
    assert abs(percent(row.bars[1].x) - percent(row.planned.x) - percent(row.planned.width)) < 0.1
    assert row.times[2] == TimeEntry("ready", "12:14:00, 4 minutes late", is_late=True)


def test_step_that_never_became_ready_is_late_until_now() -> None:
    (row,) = draw(make(requested_at=0, holding_at=20), now=30).rows

    assert [bar.kind for bar in row.bars] == ["moving", "late"]


def test_step_requested_too_late_is_late_at_once() -> None:
    (row,) = draw(make(requested_at=12), now=30).rows

    assert [bar.kind for bar in row.bars] == ["late"]


def test_bar_of_a_moment_is_visible() -> None:
    (row,) = draw(make(requested_at=0, ready_at=0.001, holding_at=20), now=1000).rows

    assert percent(row.bars[0].width) == timeline.MIN_WIDTH_PERCENT


def test_now_is_marked_while_a_step_is_under_way_only() -> None:
    under_way = draw(make(requested_at=0), now=15)
    over = draw(make(requested_at=0, ready_at=4, released_at=40, ended_at=44), now=600)

    assert "now" in [mark.kind for mark in under_way.marks]
    assert "now" not in [mark.kind for mark in over.marks]


def test_ticks_are_round_and_few() -> None:
    for now in (1, 15, 90, 1000, 100_000):
        drawn = draw(make(requested_at=0), now=now)
        assert (now, 1 <= len(drawn.ticks) <= timeline.MAX_TICKS + 1) == (now, True)
    assert [mark.label for mark in draw(make(requested_at=0), now=30).ticks] == [
        "12:00", "12:05", "12:10", "12:15", "12:20", "12:25", "12:30",
    ]  # fmt: skip


def test_size_change_shows_before_and_after() -> None:
    assert [row.size_change for row in draw(make()).rows] == ["2 → 8"]


def test_time_of_another_day_has_its_date() -> None:
    (row,) = draw(make(requested_at=0, ready_at=4, released_at=24 * 60)).rows

    assert {entry.label: entry.text for entry in row.times}["released"] == "3 Jan, 12:00:00"


def test_row_has_its_times_as_label() -> None:
    (row,) = draw(make(requested_at=0, ready_at=14)).rows

    assert row.label == "planned 12:00:00 – 12:10:00; requested 12:00:00; ready 12:14:00, 4 minutes late"
