"""The line as one shopper's page lives it: the status document, the place in it, when to ask again.

The page asks only as often as the document's poll rule says, and shows no turn that it did not compute itself.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

from dropsite.loadtest import places

BEFORE = frozenset({"draft", "announced", "lobby", "opening"})
OVER = frozenset({"sold out", "closed", "cancelled"})
STALE_SECONDS = 15.0
AFTER_OPENING = 3.0  # the lobby asks within so many seconds of the opening, not all at once


@dataclass(frozen=True)
class Status:
    """The parts of status.json that a page needs."""

    drop: str
    phase: str
    now: float
    lobby_opens: float
    opens: float
    age: tuple[int, int]  # (epoch, tick): an older document is ignored
    sealed: int | None
    secret: str | None
    commitment: str
    cursor: int
    rate: float
    poll: dict[str, float]
    free: dict[str, str]  # sku: band

    @property
    def over(self) -> bool:
        return self.phase in OVER

    @property
    def nothing_free(self) -> bool:
        return bool(self.free) and all(band in {"held", "gone"} for band in self.free.values())

    def place(self, index: int) -> int | None:
        """Where an index stands; None as long as the secret is not out."""
        if self.sealed is None or self.secret is None:
            return None
        seed = places.seed(drop=self.drop, secret=self.secret, sealed=self.sealed)
        return places.place(seed=seed, index=index, sealed=self.sealed)


def read(document: dict[str, Any]) -> Status:
    """Raises: KeyError, ValueError for a document of another version."""
    if document["v"] != 1:
        raise ValueError(f"status document of version {document['v']}")
    return Status(
        drop=document["drop"],
        phase=document["phase"],
        now=float(document["now"]),
        lobby_opens=float(document["lobby_opens"]),
        opens=float(document["opens"]),
        age=(document["epoch"], document["tick"]),
        sealed=document["sealed"],
        secret=document["secret"],
        commitment=document["commitment"],
        cursor=document["cursor"],
        rate=float(document["rate"]),
        poll=document["poll"],
        free={edition["sku"]: edition["band"] for edition in document["editions"]},
    )


def pause(*, status: Status, place: int | None, now: float, dice: Random) -> float:
    """Seconds until the page asks again: a share of the wait between the least and the most, with jitter.

    Before the opening it asks once after it, each page at a moment of its own.
    """
    least, most, share = status.poll["least"], status.poll["most"], status.poll["share"]
    coming = {"announced": status.lobby_opens, "lobby": status.opens}.get(status.phase)
    if coming is not None:
        return min(most, max(0.0, coming - now) + max(1.0, dice.uniform(0, AFTER_OPENING)))
    if status.phase == "opening" or now - status.now > STALE_SECONDS:
        return least * dice.uniform(1, 1.5)
    wanted = float(most)
    if place is not None:
        ahead = max(0, place - status.cursor + 1)
        wanted = ahead / status.rate / 1.25 / share if status.rate > 0 else ahead  # of the shortest wait that is likely
    return min(most, max(least, wanted)) * dice.uniform(0.8, 1.2)
