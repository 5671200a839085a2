"""The measured pace of a line, from which pages estimate a wait."""

from collections.abc import Callable
from typing import Any

import pytest

from drops import drop_actions
from drops.waitingroom.gatekeeper.pace import PaceMeter
from drops.waitingroom.protocol.status import is_standing_still
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import admitting

Readings = list[tuple[float, int]]


def every_second(seconds: int, cursor: Callable[[int], int]) -> Readings:
    return [(float(at), cursor(at)) for at in range(seconds + 1)]


@pytest.mark.parametrize(
    ("readings", "pace"),
    [
        ([], None),
        (every_second(9, lambda at: 500 + 2 * at), None),  # too short a time
        (every_second(10, lambda at: 500 + 2 * at), 2.0),  # the first call of 500 is no pace
        (every_second(40, lambda at: 500 + 2 * at), 2.0),
        (every_second(30, lambda at: 60 * (at // 3)), 20.0),  # in steps
        (every_second(29, lambda at: 500), None),  # perhaps the next step comes in a second
        (every_second(30, lambda at: 500), 0.0),
        (every_second(90, lambda at: min(at, 50)), 0.0),
        (every_second(60, lambda at: min(at, 45)), 0.5),  # half of the window
        (every_second(87, lambda at: 0), 0.0),
    ],
)
def test_pace_is_that_of_the_last_half_minute(readings: Readings, pace: float | None) -> None:
    meter, found = PaceMeter(), None
    for at, cursor in readings:
        found = meter.read(at=at, cursor=cursor)

    assert found == pace


def test_a_meter_keeps_no_more_than_its_window() -> None:
    meter = PaceMeter()
    for at, cursor in every_second(600, lambda at: at):
        meter.read(at=at, cursor=cursor)

    assert len(meter.readings) == 31


def later(driven: Driven, drop: Any, seconds: float) -> None:
    """Let the meter's readings be so many seconds older."""
    meter = driven.keeper.memory[drop.pk].pace
    aged = [(at - seconds, cursor) for at, cursor in meter.readings]
    meter.restart()
    meter.readings.extend(aged)


def test_nothing_is_estimated_from_the_configured_rate(driven: Driven, settings: Any) -> None:
    settings.READY_PER_SECOND = 25
    drop = admitting(driven, 100, quantity=10)

    driven.tick()

    document = driven.document(drop)
    assert (document["pace"], document["rate"]) == (None, 0.0)
    assert document["poll"]["pace"] == 25.0  # pages near the head poll within seconds all the same


def test_a_stalled_line_is_said_to_stand_still(driven: Driven) -> None:
    drop = admitting(driven, 100, quantity=10)
    driven.tick()
    assert not is_standing_still(driven.document(drop))

    later(driven, drop, 30)
    driven.tick()

    assert is_standing_still(driven.document(drop))


def test_a_line_that_moves_has_a_pace(driven: Driven, window: Callable[[], None]) -> None:
    drop = admitting(driven, 100, quantity=10)
    driven.tick()
    driven.enter(drop, range(0, 12, 2))  # half of those called come
    later(driven, drop, 20)
    window()
    driven.tick()

    document = driven.document(drop)
    assert (document["cursor"], document["entered"]) == (24, 6)
    assert document["pace"] == pytest.approx(12 / 20, rel=0.1)
    assert document["poll"]["pace"] == document["pace"]


@pytest.mark.parametrize("interruption", ["pause", "empty line"])
def test_an_interrupted_line_is_measured_again(driven: Driven, interruption: str) -> None:
    joined = 100 if interruption == "pause" else 12
    drop = admitting(driven, joined, quantity=10)
    driven.tick()
    later(driven, drop, 30)
    if interruption == "pause":
        drop_actions.pause(drop=drop, actor=None, reason="a test")
        driven.tick()
        assert (driven.document(drop)["pace"], driven.document(drop)["poll"]["pace"]) == (None, 0.0)
        drop_actions.resume(drop=drop, actor=None)
    driven.tick()

    assert driven.document(drop)["pace"] is None


def test_a_new_leader_measures_again(driven: Driven, another: Driven) -> None:
    drop = admitting(driven, 100, quantity=10)
    driven.tick()
    later(driven, drop, 30)
    driven.keeper.step_down()

    another.tick()

    assert another.document(drop)["pace"] is None
