"""The status document, version 1: the public state of a drop's waiting room, and what pages derive from it.

The gatekeeper writes it once a second, the gate serves it, drop pages and simulated crowds read it. It
contains nothing about any one visitor.
"""

import json
from typing import Literal, NotRequired, TypedDict

VERSION = 1
FRESH_SECONDS = 15  # an older document says nothing about the present
FAR_SECONDS = 600  # further than this from the next opening, pages poll every FAR_POLL_SECONDS only
FAR_POLL_SECONDS = 300.0

PhaseName = Literal["announced", "lobby", "opening", "live", "paused", "sold out", "closed", "cancelled"]
ENDED_PHASES: tuple[PhaseName, ...] = ("sold out", "closed", "cancelled")
Band = Literal["in", "low", "held", "gone"]


class PollRule(TypedDict):
    """Poll again after clamp(least, x, most) seconds.

    x is the wait at `pace` divided by `share`; at a pace of 0, the number of places ahead.
    """

    least: int
    most: int
    share: int
    pace: NotRequired[float]  # places per second, or what to assume of them; 0 if absent


class EditionStatus(TypedDict):
    """`held` units may come back. `name` is what the page calls the edition; the SKU if it is absent."""

    sku: str
    band: Band
    free: int
    held: int
    name: NotRequired[str]


class Status(TypedDict):
    """Times are unix seconds, secret and commitment hex digits.

    (epoch, tick) only grows: an older one is ignored.
    """

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
    entered: NotRequired[int]  # how many of those called came in; absent in documents of older releases
    pace: NotRequired[float | None]  # places called per second, over the last 30; None: not measured
    rate: float  # shoppers who entered per second, over the last 30
    poll: PollRule
    editions: list[EditionStatus]
    sentence: str


POLL: PollRule = {"least": 2, "most": 30, "share": 20, "pace": 0.0}
SPEED_UP = 1.25  # the pace may rise by a quarter, as holds are released or paid
SLOW_DOWN = 1.5  # or fall by a third
SHORTEST_MAX_SECONDS = 5  # the smallest `most` of a poll rule
POLLS_PER_SECOND = 100  # that a drop may cause before its pages poll less often


class UnreadableStatus(Exception):
    """The document isn't one of this version."""


def encode(status: Status) -> str:
    """Return the document as it is stored in Redis and sent to browsers."""
    return json.dumps(status, separators=(",", ":"), ensure_ascii=False)


def decode(text: str | bytes) -> Status:
    """Read what `encode` wrote. Raises: UnreadableStatus."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UnreadableStatus from error
    if not isinstance(found, dict) or found.get("v") != VERSION:
        raise UnreadableStatus
    status: Status = found  # type: ignore[assignment]  # written by this project, guarded by the version
    return status


def is_fresh(status: Status, now: float) -> bool:
    """Whether the document is recent enough to rely on at unix second `now`."""
    return now - status["now"] <= FRESH_SECONDS


def expected_wait(status: Status, place: int) -> tuple[float, float] | None:
    """Return the shortest and longest likely wait of a place, in seconds; None if that can't be told.

    It can be told once a pace is measured, and only for places that a piece is free for, at the share of
    called shoppers who have come so far: behind those, the drop may be sold out first.
    """
    ahead = place - status["cursor"]
    if ahead < 0:
        return 0.0, 0.0
    pace = status.get("pace")
    free = sum(edition["free"] for edition in status["editions"])
    if not pace or ahead * show_rate(status) >= free:
        return None
    expected = (ahead + 1) / pace
    return expected / SPEED_UP, expected * SLOW_DOWN


def is_standing_still(status: Status) -> bool:
    """Whether nobody has been called for half a minute, although shoppers wait."""
    return status["phase"] == "live" and status.get("pace") == 0


def show_rate(status: Status) -> float:
    """Return the share of called shoppers who came in; 1 if that isn't known."""
    called = status["cursor"]
    if not called:
        return 1.0
    return min(1.0, status.get("entered", called) / called)


def pieces_left(status: Status) -> int:
    """Return the units of all editions that are free or may come back."""
    return sum(edition["free"] + edition["held"] for edition in status["editions"])


def max_poll_seconds(waiting: float) -> float:
    """Return the longest time between two polls of a live drop: the shorter the line, the shorter."""
    return min(POLL["most"], max(SHORTEST_MAX_SECONDS, waiting / POLLS_PER_SECOND))


def poll_seconds(status: Status, place: int | None, now: float, jitter: float) -> float:
    """Return the seconds until the next poll.

    `place` is None before the seal or without a ticket; `jitter` is 0 to 1.

    Before an opening everybody comes back within the 3 s after it, each at a moment of their own.
    """
    poll = status["poll"]
    next_opening = {"announced": status["lobby_opens"], "lobby": status["opens"]}.get(status["phase"])
    if next_opening is not None:
        left = next_opening - now
        if left > FAR_SECONDS:
            return FAR_POLL_SECONDS
        return min(float(poll["most"]), max(0.0, left) + max(1.0, 3 * jitter))
    if status["phase"] == "opening":
        return poll["least"] + jitter
    return min(max(_wanted_poll(status, place), poll["least"]), poll["most"]) * (0.8 + 0.4 * jitter)


def _wanted_poll(status: Status, place: int | None) -> float:
    """Return the seconds between polls that suit a place's wait, before the rule's bounds and the jitter."""
    if place is None:
        return float(status["poll"]["most"])
    ahead = max(0, place - status["cursor"] + 1)
    pace = status["poll"].get("pace", 0.0)
    if pace <= 0:
        return ahead
    return ahead / pace / SPEED_UP / status["poll"]["share"]
