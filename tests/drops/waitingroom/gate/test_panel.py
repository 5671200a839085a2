from typing import Any

import pytest

from drops.waitingroom.gate import texts
from drops.waitingroom.gate.cache import CachedDrop, parse
from drops.waitingroom.gate.panel import Panel, build
from drops.waitingroom.gate.times import format_time
from drops.waitingroom.protocol import status
from tests.drops.waitingroom.protocol.servers import NOW, document

pytestmark = pytest.mark.usefixtures("in_utc")

S = {"sku": "ZERO-S", "band": "in", "free": 9, "held": 3, "name": "Small"}
M = {"sku": "ZERO-M", "band": "held", "free": 0, "held": 4}
LEFT = "Pieces left: 16."
ROWS = (("Small", "Available"), ("ZERO-M", "In checkouts, may come back"))


def line(
    *, cursor: int = 0, n: int | None = None, paused: bool = False, lobby: float = NOW - 60, **changed: object
) -> CachedDrop:
    state = {b"epoch": b"1", b"limit": b"1", b"cursor": b"%d" % cursor, b"paused": b"%d" % paused}
    state[b"lobby"] = str(lobby).encode()
    if n is not None:
        state |= {b"n": b"%d" % n, b"seed": b"00" * 32}
    found = parse(state, status.encode(document(cursor=cursor, sealed=n, **changed)).encode())
    assert found is not None
    return found


def live(**changed: object) -> CachedDrop:
    """Return a sealed drop that everybody joined late: the place is the index."""
    said: dict[str, Any] = {"n": 0, "phase": "live", "pace": 2.0, "editions": [S, M]}
    return line(**(said | changed))


def late(number: int) -> str:
    return f"You joined after the draw, as number {number:,}."


def told(called: int, entered: int) -> str:
    return f"{LEFT} Called so far: {called}. Entered: {entered}."


@pytest.mark.parametrize(
    ("known", "index", "panel"),
    [
        (line(phase="announced"), None, Panel(f"The line opens at {format_time(NOW - 60)}.", refresh=2)),
        (
            line(),
            None,
            Panel(f"The drop opens at {format_time(NOW + 60)}.", notes=(texts.LOBBY_OUT,), action="join", refresh=30),
        ),
        (line(), 5, Panel(f"The drop opens at {format_time(NOW + 60)}.", notes=(texts.LOBBY_IN,), refresh=30)),
        (line(phase="opening"), 5, Panel(texts.OPENING_IN, refresh=3)),
        (line(phase="opening"), None, Panel(texts.OPENING, action="join", refresh=3)),
        (line(phase="live"), 5, Panel(texts.OPENING_IN, refresh=30)),
        (live(), None, Panel(texts.OPEN, action="join", editions=ROWS, refresh=30)),
        (live(phase="paused"), None, Panel(texts.PAUSED_NOW, action="join", editions=ROWS, refresh=30)),
        (live(cursor=6), 5, Panel(texts.TURN, action="enter", editions=ROWS)),
        (live(cursor=5), 5, Panel(texts.NEXT, "1", (told(5, 0), late(6)), editions=ROWS, refresh=2)),
        (
            live(cursor=3, entered=2), 5,
            Panel("2 places are ahead of yours.", "3", (texts.SOON, told(3, 2), late(6)), "", ROWS, 3),
        ),
        (live(phase="sold out", editions=[], sentence="x"), 5, Panel("Sold out")),
        (live(phase="closed"), 5, Panel(texts.CLOSED_NOW)),
        (live(phase="cancelled"), None, Panel(texts.CANCELLED_NOW)),
    ],
)  # fmt: skip
def test_build_follows_phase_and_place(known: CachedDrop, index: int | None, panel: Panel) -> None:
    assert build(known, index, NOW, 0.5) == panel


def test_build_shows_an_ended_drop_however_old_the_document_is() -> None:
    assert build(live(phase="closed"), 5, NOW + 3000, 0.5) == Panel(texts.CLOSED_NOW)


def test_build_shows_the_gatekeeper_s_sentence_once() -> None:
    told = build(live(sentence="Banks are slow."), 5, NOW, 0.5)
    paused = build(live(phase="paused", sentence=texts.PAUSED_NOW), None, NOW, 0.5)

    assert (told.notes[-1], paused.notes) == ("Banks are slow.", ())


@pytest.mark.parametrize(
    ("index", "pace", "lead", "wait"),
    [
        (1, 0.0, "One place is ahead of yours.", texts.STILL),
        (15, 0.05, "15 places are ahead of yours.", "It will take about 4–8 minutes."),
        (9, 0.1, "9 places are ahead of yours.", "It will take about 1–3 minutes."),
        (9, 0.16, "9 places are ahead of yours.", "It will take about 1–2 minutes."),
        (9, 0.3, "9 places are ahead of yours.", texts.SOON),
        (9, 0.0012, "9 places are ahead of yours.", "It will take about 1–4 hours."),
    ],
)
def test_build_shows_a_range_of_wait(index: int, pace: float, lead: str, wait: str) -> None:
    editions = [S | {"free": 16, "held": 0}]
    panel = build(live(pace=pace, editions=editions), index, NOW, 0.5)

    assert (panel.lead, panel.count, panel.notes) == (lead, str(index + 1), (wait, LEFT, late(index + 1)))


def test_build_counts_people_ahead_from_the_cursor() -> None:
    panel = build(live(cursor=1000), 2416, NOW, 0.5)

    assert (panel.count, panel.lead) == ("1,417", "1,416 places are ahead of yours.")


def test_build_rounds_places_that_were_drawn() -> None:
    panels = [build(line(n=9_000_000, phase="live"), index, NOW, 0.5) for index in range(3)]

    assert all(panel.lead.startswith("About ") for panel in panels)
    assert all(panel.lead.endswith("00,000 places are ahead of yours.") for panel in panels)
    assert all(panel.notes[-1].endswith(" of 9,000,000.") for panel in panels)
