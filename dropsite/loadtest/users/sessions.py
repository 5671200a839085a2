"""The sessions of simulated shoppers, which the report counts and the assertions compare."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from dropsite.loadtest.users.behaviour import Behaviour


class Outcome(StrEnum):
    """The end of a session."""

    PLACED = "has an order"
    PAID_AND_LEFT = "paid and left"
    LEFT = "left by choice"
    RELEASED = "gave the units back"
    LET_LAPSE = "let the hold lapse"
    DECLINED = "declined for good"
    SOLD_OUT = "sold out before"
    CLOSED = "closed before"
    NOTHING_FREE = "nothing free, did not wait"
    STILL_IN_LINE = "still in line"
    HOLDS_USED_UP = "had two holds"
    VOIDED = "authorised, then voided"
    OUT_OF_TIME = "ran out of time"
    SENT_HOME = "sent home"
    UNEXPECTED_PAGE = "met something wrong"


@dataclass
class Session:
    """One shopper's visit. Times are durations in seconds; None: the shopper didn't get that far."""

    behaviour: Behaviour
    step: str = "at home"
    outcome: Outcome | None = None
    events: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)  # what no shopper should ever see

    indices: list[int] = field(default_factory=list)  # one per successful join: a change is noticed
    place: int | None = None
    cursor: int | None = None  # as the shopper saw it on entering
    orders: list[str] = field(default_factory=list)  # addresses; one, unless something is wrong
    pieces: list[str] = field(default_factory=list)  # "edition No. 37", as the order page says

    join_seconds: float | None = None
    turn_seconds: float | None = None  # from joining, or from the opening if that came later, to the pass
    hold_seconds: float | None = None  # the response to placing a hold
    placed_seconds: float | None = None  # from pressing Pay to the paid order

    @property
    def index(self) -> int | None:
        if not self.indices:
            return None
        return self.indices[0]
