"""The waiting room as a shopper's page sees it: the status document, the shopper's place, when to poll again.

The page polls only as often as the document's poll rule says, and computes the shopper's place by itself.
"""

from dataclasses import dataclass
from math import ceil
from random import Random
from typing import Any

from dropsite.loadtest.users import shuffle

DOCUMENT_VERSION = 1
PHASES_BEFORE_OPENING = frozenset({"draft", "announced", "lobby", "opening"})
ENDED_PHASES = frozenset({"sold out", "closed", "cancelled"})
STALE_SECONDS = 15.0
OPENING_SPREAD_SECONDS = 3.0  # pages in the lobby poll within so many seconds of the opening, not all at once
SPEED_UP_FACTOR = 1.25  # the wait may turn out so much shorter than the present pace suggests


@dataclass(frozen=True)
class StatusDocument:
    """The parts of status.json that a page needs."""

    drop: str
    phase: str
    now: float
    lobby_opens: float
    opens: float
    version: tuple[int, int]  # (epoch, tick): an older document is ignored
    sealed: int | None
    secret: str | None
    commitment: str
    cursor: int
    poll: dict[str, float]
    bands: dict[str, str]  # {SKU: how many are left, roughly}

    @property
    def has_ended(self) -> bool:
        return self.phase in ENDED_PHASES

    @property
    def nothing_free(self) -> bool:
        return bool(self.bands) and all(band in {"held", "gone"} for band in self.bands.values())

    def place_of(self, index: int) -> int | None:
        """Return the place of a ticket; None until the secret has been published."""
        if self.sealed is None or self.secret is None:
            return None
        seed = shuffle.seed(drop=self.drop, secret=self.secret, sealed=self.sealed)
        return shuffle.place(seed=seed, index=index, sealed=self.sealed)


def parse(document: dict[str, Any]) -> StatusDocument:
    """Raises: KeyError, ValueError for a document of another version."""
    if document["v"] != DOCUMENT_VERSION:
        raise ValueError(f"status document of version {document['v']}")
    return StatusDocument(
        drop=document["drop"],
        phase=document["phase"],
        now=float(document["now"]),
        lobby_opens=float(document["lobby_opens"]),
        opens=float(document["opens"]),
        version=(document["epoch"], document["tick"]),
        sealed=document["sealed"],
        secret=document["secret"],
        commitment=document["commitment"],
        cursor=document["cursor"],
        poll=document["poll"],
        bands={edition["sku"]: edition["band"] for edition in document["editions"]},
    )


def lobby_second(status: StatusDocument) -> int:
    """Return the unix second from which the gate takes joins."""
    return ceil(status.lobby_opens)


def poll_pause(*, status: StatusDocument, place: int | None, now: float, rng: Random) -> float:
    """Return the seconds until the page polls again: a share of the expected wait, within the rule's bounds.

    Before the opening it polls once shortly after it, each page at a moment of its own.
    """
    least = status.poll["least"]
    most = status.poll["most"]
    next_change = {"announced": status.lobby_opens, "lobby": status.opens}.get(status.phase)
    if next_change is not None:
        spread = max(1.0, rng.uniform(0, OPENING_SPREAD_SECONDS))
        return min(most, max(0.0, next_change - now) + spread)
    if status.phase == "opening" or now - status.now > STALE_SECONDS:
        return least * rng.uniform(1, 1.5)
    wanted = float(most)
    if place is not None:
        wanted = _share_of_wait(status, ahead=max(0, place - status.cursor + 1))
    return min(most, max(least, wanted)) * rng.uniform(0.8, 1.2)


def _share_of_wait(status: StatusDocument, *, ahead: int) -> float:
    pace = status.poll["pace"]
    if pace <= 0:
        return ahead  # nobody is called now: a second for each place ahead
    shortest_likely_wait = ahead / pace / SPEED_UP_FACTOR
    return shortest_likely_wait / status.poll["share"]
