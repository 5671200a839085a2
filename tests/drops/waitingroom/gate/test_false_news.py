"""What the page without scripts says of a line that it doesn't know, that is paused, or that stands still."""

from typing import Any

import pytest

from drops.waitingroom.gate import texts
from drops.waitingroom.gate.panel import build
from tests.drops.waitingroom.gate.test_panel import LEFT, ROWS, S, late, line, live, told
from tests.drops.waitingroom.protocol.servers import NOW

ESTIMATES = ("It will take",)


@pytest.mark.parametrize("paused", [{"phase": "paused"}, {"paused": True}])
@pytest.mark.parametrize(("cursor", "count"), [(0, "53"), (10, "43"), (52, "1")])
def test_a_pause_keeps_the_number(paused: dict[str, Any], cursor: int, count: str) -> None:
    panel = build(live(cursor=cursor, **paused), 52, NOW, 0.5)

    assert panel.count == count
    assert panel.notes[0] == texts.PAUSED_NOW
    assert panel.notes[-1] == late(53)
    assert panel.refresh


def test_a_pause_is_said_once() -> None:
    panel = build(live(phase="paused", sentence=texts.PAUSED_NOW), 5, NOW, 0.5)

    assert panel.notes == (texts.PAUSED_NOW, LEFT, late(6))


def test_a_pause_tells_the_called_that_their_turn_follows() -> None:
    panel = build(live(phase="paused", cursor=6), 5, NOW, 0.5)

    assert (panel.lead, panel.action) == (texts.PAUSED_NOW, "")
    assert panel.notes == (texts.TURN_LATER, late(6))


@pytest.mark.parametrize("paused", [{"phase": "paused"}, {"paused": True}])
def test_a_pause_keeps_joining(paused: dict[str, Any]) -> None:
    panel = build(live(**paused), None, NOW, 0.5)

    assert (panel.lead, panel.action, panel.editions) == (texts.PAUSED_NOW, "join", ROWS)


@pytest.mark.parametrize("index", [1, 52])
@pytest.mark.parametrize("pace", [None, 0.0])
def test_without_a_measured_pace_there_is_no_estimate(index: int, pace: float | None) -> None:
    panel = build(live(pace=pace, rate=25.0), index, NOW, 0.5)

    assert not any(note.startswith(ESTIMATES) for note in panel.notes)
    assert (texts.STILL in panel.notes) is (pace == 0.0)


def test_the_next_in_a_line_that_stands_still_is_told_so() -> None:
    assert texts.STILL in build(live(cursor=5, pace=0.0), 5, NOW, 0.5).notes
    assert texts.STILL not in build(live(cursor=5, pace=0.1), 5, NOW, 0.5).notes


def test_a_paused_line_doesn_t_stand_still() -> None:
    assert texts.STILL not in build(live(phase="paused", pace=0.0), 5, NOW, 0.5).notes


@pytest.mark.parametrize(
    ("cursor", "index", "count", "action"), [(0, 5, "6", ""), (5, 5, "1", ""), (6, 5, "", "enter")]
)
def test_an_old_document_keeps_the_number_and_the_buttons(
    cursor: int, index: int, count: str, action: str
) -> None:
    panel = build(live(cursor=cursor), index, NOW + 16, 0.5)

    assert (panel.lead, panel.count, panel.action) == (texts.RECONNECTING, count, action)
    assert (panel.notes, panel.refresh) == ((late(6),), 10)


def test_an_old_document_keeps_joining_once_the_lobby_is_open() -> None:
    early, late_ = line(lobby=NOW + 60), line(lobby=NOW - 60)

    assert build(early, None, NOW + 16, 0.5).action == ""
    assert build(late_, None, NOW + 16, 0.5).action == "join"


def test_a_document_of_fifteen_seconds_is_news() -> None:
    assert build(live(), 5, NOW + 15, 0.5).lead == "5 places are ahead of yours."


@pytest.mark.parametrize(("left", "index"), [(12, 41_879), (1, 3), (12, 36)])
def test_however_many_are_ahead_the_page_gives_facts_and_no_advice(left: int, index: int) -> None:
    editions = [S | {"free": left - 1, "held": 1}]
    panel = build(live(editions=editions), index, NOW, 0.5)

    assert panel.notes == (f"Pieces left: {left}.", late(index + 1))
    assert "unlikely" not in repr(panel)


def test_facts_name_the_called_and_those_who_came() -> None:
    panel = build(live(cursor=960, entered=80), 1_000, NOW, 0.5)

    assert told(960, 80) in panel.notes


def test_facts_never_say_that_more_came_than_were_called() -> None:
    assert told(10, 10) in build(live(cursor=10, entered=12), 100, NOW, 0.5).notes
