"""What one shopper sees of the line at one moment, in the same sentences as the drop's page. Pure."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from drops.waitingroom.gate import texts
from drops.waitingroom.gate.cache import CachedDrop
from drops.waitingroom.gate.language import gettext as _
from drops.waitingroom.gate.language import ngettext
from drops.waitingroom.protocol import status
from drops.waitingroom.protocol.status import Status

LEAVE_AT = 3  # people ahead for each piece that is left, from which on waiting is probably in vain
MAX_MINUTES = 120  # longer waits are shown in hours
OVER = {"sold out", "closed", "cancelled"}


@dataclass(frozen=True, slots=True)
class Panel:
    """`count` is the large number; `refresh` the seconds until the page reloads itself, None for never."""

    lead: str
    count: str = ""
    notes: tuple[str, ...] = ()
    action: Literal["", "join", "enter"] = ""
    editions: tuple[tuple[str, str], ...] = ()
    refresh: int | None = None


def tell(line: CachedDrop, index: int | None, now: float, chance: float) -> Panel:
    """Return the panel for the holder of ticket `index`, or of none. `chance`, 0 to 1, spreads the reloads."""
    doc = line.doc
    if doc is not None and doc["phase"] in OVER:
        return _of_phase(line, doc, index, None)  # nothing will change, however old the document
    if doc is None or not status.is_fresh(doc, now):
        return Panel(_(texts.RECONNECTING), refresh=10)
    place = None if index is None else line.place(index)
    panel = _of_phase(line, doc, index, place)
    if doc["sentence"] and doc["sentence"] != panel.lead:
        panel = replace(panel, notes=(*panel.notes, doc["sentence"]))
    if panel.action == "enter":
        return panel  # a reload would take the button away
    return replace(panel, refresh=max(1, math.ceil(status.poll_after(doc, place, now, chance))))


def _of_phase(line: CachedDrop, doc: Status, index: int | None, place: int | None) -> Panel:
    match doc["phase"]:
        case "closed":
            panel = Panel(_(texts.CLOSED_NOW))
        case "cancelled":
            panel = Panel(_(texts.CANCELLED))
        case "sold out":
            panel = Panel(_(texts.SOLD_OUT), editions=_editions(doc))
        case "announced":
            panel = Panel(_(texts.ANNOUNCED).format(time=moment(doc["lobby_opens"])))
        case "lobby":
            lead = _(texts.LOBBY).format(time=moment(doc["opens"]))
            panel = Panel(lead, notes=(_(texts.LOBBY_OUT if index is None else texts.LOBBY_IN),))
        case _ if index is None:
            lead = texts.OPENING if doc["phase"] == "opening" else texts.OPEN
            panel = Panel(_(texts.PAUSED_NOW if _is_paused(line, doc) else lead), editions=_editions(doc))
        case _ if place is None or doc["phase"] == "opening":
            panel = Panel(_(texts.OPENING_IN))
        case _:
            return _in_line(line, doc, index, place)
    may_join = index is None and doc["phase"] in {"lobby", "opening", "live", "paused"}
    return replace(panel, action="join" if may_join else "")


def _in_line(line: CachedDrop, doc: Status, index: int, place: int) -> Panel:
    drawn = index < line.n
    number = f"{place + 1:,}"  # places count from 0, people from 1
    note = _(texts.DRAWN).format(n=number, all=f"{line.n:,}") if drawn else _(texts.LATE).format(n=number)
    if _is_paused(line, doc):
        return Panel(_(texts.PAUSED_NOW), notes=(note,), editions=_editions(doc))
    ahead = place - line.cursor
    if ahead < 0:
        return Panel(_(texts.TURN), action="enter", editions=_editions(doc))
    left = sum(edition["free"] + edition["held"] for edition in doc["editions"])
    in_vain = left > 0 and ahead >= LEAVE_AT * left
    wait = _(texts.FEW).format(n=f"{left:,}") if in_vain else _wait(doc, place)
    notes = (note,) if ahead == 0 else (wait, note)
    return Panel(_ahead(ahead, about=drawn), count=f"{ahead + 1:,}", notes=notes, editions=_editions(doc))


def _is_paused(line: CachedDrop, doc: Status) -> bool:
    return line.paused or doc["phase"] == "paused"


def _ahead(ahead: int, *, about: bool) -> str:
    """Drawn places are near enough, not exact, so their number is rounded to two figures."""
    if ahead == 0:
        return _(texts.NEXT)
    if not about or ahead < 10:
        text = ngettext("One person is ahead of you.", "{n} people are ahead of you.", ahead)
        return text.format(n=f"{ahead:,}")
    unit = 10 ** (len(str(ahead)) - 2)
    return _(texts.AHEAD_ABOUT).format(n=f"{(ahead + unit // 2) // unit * unit:,}")


def _wait(doc: Status, place: int) -> str:
    likely = status.wait(doc, place)
    if likely is None:
        return _(texts.STILL)
    low, high = likely[0] / 60, likely[1] / 60
    if high <= 1:
        return _(texts.SOON)
    if high <= MAX_MINUTES:
        return _(texts.WAIT).format(low=max(1, math.floor(low)), high=math.ceil(high))
    return _(texts.WAIT_HOURS).format(low=max(1, math.floor(low / 60)), high=math.ceil(high / 60))


def _editions(doc: Status) -> tuple[tuple[str, str], ...]:
    return tuple(
        (edition.get("name") or edition["sku"], _(texts.BANDS[edition["band"]])) for edition in doc["editions"]
    )


def moment(at: float) -> str:
    """Return a Unix second as people read it, in UTC: without a script the page can't know their time zone."""
    when = datetime.fromtimestamp(at, UTC)
    time = f"{when:%H:%M:%S}" if when.second else f"{when:%H:%M}"
    return _(texts.MOMENT).format(time=time, day=when.day, month=_(texts.MONTHS[when.month - 1]), year=when.year)
