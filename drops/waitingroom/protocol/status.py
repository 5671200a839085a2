"""The status document: what everybody may know of a line, version 1, and what a page reads from it.

The gatekeeper writes it once a second, the gate serves it, drop pages and crowds read it. It names no visitor.
"""

import json
from typing import Literal, NotRequired, TypedDict

VERSION = 1
UNKNOWN_AFTER = 15  # seconds: an older document says nothing any more
FAR = 600  # seconds before the line or the drop opens, one looks now and then only
FAR_POLL = 300.0

PhaseName = Literal["announced", "lobby", "opening", "live", "paused", "sold out", "closed", "cancelled"]
Band = Literal["in", "low", "held", "gone"]


class Poll(TypedDict):
    """Ask again after clamp(least, wait ÷ share, most) seconds; while nobody is let in, after one a place ahead."""

    least: int
    most: int
    share: int


class Edition(TypedDict):
    """`held` units may return; `name` is what the page calls it, the sku where it is left out."""

    sku: str
    band: Band
    free: int
    held: int
    name: NotRequired[str]


class Status(TypedDict):
    """Times are unix seconds, secret and commitment hex digits. (epoch, tick) only grows: an older one is ignored."""

    v: int
    epoch: int
    tick: int
    now: float
    slug: str
    drop: str  # the UUID, for the seed
    phase: PhaseName
    lobby_opens: float
    opens: float
    closes: float | None
    sealed: int | None  # N
    commitment: str
    secret: str | None  # after the seal
    cursor: int
    joined: int
    rate: float  # shoppers let in per second, over the last 30
    poll: Poll
    editions: list[Edition]
    sentence: str


POLL: Poll = {"least": 2, "most": 30, "share": 20}
SOON = 5  # seconds, the shortest `most`
LOOKS = 100  # a second that a line may cost before its pages look less often


class Unreadable(Exception):
    """The document isn't one of this version."""


def encode(status: Status) -> str:
    """The document as it lies in Redis and goes over the wire."""
    return json.dumps(status, separators=(",", ":"), ensure_ascii=False)


def decode(text: str | bytes) -> Status:
    """Read what `encode` made. Raises: Unreadable."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise Unreadable from error
    if not isinstance(found, dict) or found.get("v") != VERSION:
        raise Unreadable
    status: Status = found  # type: ignore[assignment]  # written by this project, guarded by the version
    return status


def is_fresh(status: Status, now: float) -> bool:
    """Whether the document still says something at unix second `now`."""
    return now - status["now"] <= UNKNOWN_AFTER


def wait(status: Status, place: int) -> tuple[float, float] | None:
    """Shortest and longest likely wait of a place, in seconds; None while nobody is being let in.

    The pace is that of the last 30 s; it may rise by a quarter, or fall by a third, as holds are given back or paid.
    """
    ahead = place - status["cursor"]
    if ahead < 0:
        return 0.0, 0.0
    if status["rate"] <= 0:
        return None
    expected = (ahead + 1) / status["rate"]
    return expected / 1.25, expected * 1.5


def most_in_line(waiting: float) -> float:
    """Seconds at most between two looks in a live drop: a short line hears soon what comes of it."""
    return min(POLL["most"], max(SOON, waiting / LOOKS))


def poll_after(status: Status, place: int | None, now: float, chance: float) -> float:
    """Seconds until the next look. `place` is None before the seal or without a ticket, `chance` from 0 to 1.

    Before the opening everybody comes back within 3 s after it, at a second of their own.
    """
    poll = status["poll"]
    next_opening = {"announced": status["lobby_opens"], "lobby": status["opens"]}.get(status["phase"])
    if next_opening is not None:
        left = next_opening - now
        return FAR_POLL if left > FAR else min(float(poll["most"]), max(0.0, left) + max(1.0, 3 * chance))
    if status["phase"] == "opening":
        return poll["least"] + chance
    wanted = float(poll["most"])
    if place is not None:
        expected = wait(status, place)
        wanted = expected[0] / poll["share"] if expected else place - status["cursor"] + 1
    return min(max(wanted, poll["least"]), poll["most"]) * (0.8 + 0.4 * chance)
