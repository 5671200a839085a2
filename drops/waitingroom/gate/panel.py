"""One shopper's view of the line at one moment, in the same sentences as the drop's page. Pure."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from drops.waitingroom.gate import texts
from drops.waitingroom.gate.cache import CachedDrop
from drops.waitingroom.gate.language import gettext as _
from drops.waitingroom.gate.language import ngettext
from drops.waitingroom.gate.times import format_time
from drops.waitingroom.protocol import status
from drops.waitingroom.protocol.status import Status

MAX_WAIT_MINUTES = 120  # longer waits are given in hours
UNKNOWN_REFRESH_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Panel:
    """`count` is the large number; `refresh` the seconds until the page reloads itself, None for never."""

    lead: str
    count: str = ""
    notes: tuple[str, ...] = ()
    action: Literal["", "join", "enter"] = ""
    editions: tuple[tuple[str, str], ...] = ()
    refresh: int | None = None


def build(drop: CachedDrop, index: int | None, now: float, jitter: float) -> Panel:
    """Return the panel for ticket `index`, or for a visitor without one.

    `jitter`, 0 to 1, spreads the refreshes.
    """
    document = drop.status
    if document is not None and document["phase"] in status.ENDED_PHASES:
        return _over_panel(document)  # nothing more will happen, however old the document
    place = None
    if index is not None:
        place = drop.place(index)
    if document is None or not status.is_fresh(document, now):
        return _unknown_panel(drop, index, place, now)
    panel = _phase_panel(drop, document, index, place)
    if document["sentence"] and document["sentence"] not in {panel.lead, *panel.notes}:
        panel = replace(panel, notes=(*panel.notes, document["sentence"]))
    if panel.action == "enter":
        return panel  # no refresh: it waits for a press of the button
    return replace(panel, refresh=max(1, math.ceil(status.poll_seconds(document, place, now, jitter))))


def _over_panel(document: Status) -> Panel:
    if document["phase"] == "sold out":
        return Panel(_(texts.SOLD_OUT), editions=_editions(document))
    if document["phase"] == "cancelled":
        return Panel(_(texts.CANCELLED_NOW))
    return Panel(_(texts.CLOSED_NOW))


def _unknown_panel(drop: CachedDrop, index: int | None, place: int | None, now: float) -> Panel:
    """Return the panel while nothing recent is known: what was known stays, and so do the buttons."""
    panel = Panel(_(texts.RECONNECTING), refresh=UNKNOWN_REFRESH_SECONDS)
    if index is None:
        if drop.lobby_opens <= now:
            panel = replace(panel, action="join")
        return panel
    if place is None:
        return panel
    panel = replace(panel, notes=(_origin(drop, index, place),))
    if place < drop.cursor:
        return replace(panel, action="enter")
    return replace(panel, count=f"{place - drop.cursor + 1:,}")


def _phase_panel(drop: CachedDrop, document: Status, index: int | None, place: int | None) -> Panel:
    if document["phase"] == "announced":
        return Panel(_(texts.ANNOUNCED).format(time=format_time(document["lobby_opens"])))
    if index is None:
        return _visitor_panel(drop, document)
    if document["phase"] == "lobby":
        return Panel(_(texts.LOBBY).format(time=format_time(document["opens"])), notes=(_(texts.LOBBY_IN),))
    if document["phase"] == "opening" or place is None:
        return Panel(_(texts.OPENING_IN))
    return _place_panel(drop, document, index, place)


def _visitor_panel(drop: CachedDrop, document: Status) -> Panel:
    """Return the panel for a visitor who hasn't joined and may."""
    if document["phase"] == "lobby":
        lead = _(texts.LOBBY).format(time=format_time(document["opens"]))
        return Panel(lead, notes=(_(texts.LOBBY_OUT),), action="join")
    if _is_paused(drop, document):
        lead = _(texts.PAUSED_NOW)
    elif document["phase"] == "opening":
        lead = _(texts.OPENING)
    else:
        lead = _(texts.OPEN)
    return Panel(lead, action="join", editions=_editions(document))


def _place_panel(drop: CachedDrop, document: Status, index: int, place: int) -> Panel:
    """Return the panel for a shopper whose place is known."""
    origin = _origin(drop, index, place)
    editions = _editions(document)
    ahead = place - drop.cursor
    if ahead < 0 and _is_paused(drop, document):
        return Panel(_(texts.PAUSED_NOW), notes=(_(texts.TURN_LATER), origin), editions=editions)
    if ahead < 0:
        return Panel(_(texts.TURN), action="enter", editions=editions)
    wait = _wait(document, place)
    if _is_paused(drop, document):
        wait = _(texts.PAUSED_NOW)
    notes = [wait, _facts(document), origin]
    return Panel(
        _ahead(ahead, about=index < drop.n),
        count=f"{ahead + 1:,}",
        notes=tuple(note for note in notes if note),
        editions=editions,
    )


def _origin(drop: CachedDrop, index: int, place: int) -> str:
    """Return where a place comes from. Places count from 0, people from 1."""
    if index < drop.n:
        return _(texts.DRAWN).format(n=f"{place + 1:,}", all=f"{drop.n:,}")
    return _(texts.LATE).format(n=f"{place + 1:,}")


def _facts(document: Status) -> str:
    """Return how many pieces are left, and how many of those called came in."""
    if not document["editions"]:
        return ""
    facts = _(texts.PIECES_LEFT).format(n=f"{status.pieces_left(document):,}")
    called = document["cursor"]
    if called and "entered" in document:
        entered = min(called, document["entered"])  # a shopper may enter again once a pass has ended
        facts += " " + _(texts.CALLED).format(called=f"{called:,}", entered=f"{entered:,}")
    return facts


def _is_paused(drop: CachedDrop, document: Status) -> bool:
    return drop.paused or document["phase"] == "paused"


def _ahead(ahead: int, *, about: bool) -> str:
    """Return how many people are in front.

    Drawn places are approximate, so their number has two significant digits.
    """
    if ahead == 0:
        return _(texts.NEXT)
    if not about or ahead < 10:
        text = ngettext("One place is ahead of yours.", "{n} places are ahead of yours.", ahead)
        return text.format(n=f"{ahead:,}")
    unit = 10 ** (len(str(ahead)) - 2)
    return _(texts.AHEAD_ABOUT).format(n=f"{(ahead + unit // 2) // unit * unit:,}")


def _wait(document: Status, place: int) -> str:
    """Return how long it may take; nothing if that can't be told, or for the next in line."""
    if status.is_standing_still(document):
        return _(texts.STILL)
    expected = status.expected_wait(document, place)
    if expected is None or place == document["cursor"]:
        return ""
    low, high = expected[0] / 60, expected[1] / 60
    if high <= 1:
        return _(texts.SOON)
    if high <= MAX_WAIT_MINUTES:
        return _(texts.WAIT).format(low=max(1, math.floor(low)), high=math.ceil(high))
    return _(texts.WAIT_HOURS).format(low=max(1, math.floor(low / 60)), high=math.ceil(high / 60))


def _editions(document: Status) -> tuple[tuple[str, str], ...]:
    return tuple(
        (edition.get("name") or edition["sku"], _(texts.BANDS[edition["band"]]))
        for edition in document["editions"]
    )
