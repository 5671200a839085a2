"""What happened to each simulated shopper: what the report counts and what the checks compare."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from dropsite.loadtest.plans import Plan


class End(StrEnum):
    """How a shopper's visit ended."""

    PLACED = "has an order"
    PAID_AND_LEFT = "paid and left"
    LEFT = "left by choice"
    GAVE_BACK = "gave the units back"
    LET_LAPSE = "let the hold lapse"
    DECLINED = "declined for good"
    SOLD_OUT = "sold out before"
    CLOSED = "closed before"
    NOTHING_FREE = "nothing free, did not wait"
    STILL_IN_LINE = "still in line"
    REFUSED = "had two holds"
    MONEY_BACK = "authorised, then voided"
    OUT_OF_TIME = "ran out of time"
    SENT_HOME = "sent home"
    ODD = "met something wrong"


@dataclass
class Story:
    """One shopper's visit. Seconds are spans; None: it did not come to that."""

    plan: Plan
    step: str = "at home"
    end: End | None = None
    deeds: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)  # what no shopper may meet

    indices: list[int] = field(default_factory=list)  # one per answer of the line, so that a repeat is seen
    place: int | None = None
    cursor: int | None = None  # as the shopper saw it when they were let in
    orders: list[str] = field(default_factory=list)  # addresses, in the order of paying; one each if all is well
    pieces: list[str] = field(default_factory=list)  # "edition No. 37", as the order page says

    join_seconds: float | None = None
    turn_seconds: float | None = None  # from joining, or the opening if that came later, to the pass
    hold_seconds: float | None = None  # the answer to placing a hold
    placed_seconds: float | None = None  # from pressing Pay to "it is yours"

    @property
    def index(self) -> int | None:
        return self.indices[0] if self.indices else None

    @property
    def order(self) -> str | None:
        return self.orders[0] if self.orders else None
