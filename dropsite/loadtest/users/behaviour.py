"""The intentions of simulated shoppers, drawn from a seed: the same seed gives the same crowd.

A behaviour holds intentions and fractions of time, never seconds: how fast a crowd acts is its Pace.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Leaves(StrEnum):
    """The point at which a shopper leaves for good."""

    NEVER = "never"
    IN_LINE = "in line"
    AT_PICKING = "at picking"
    AFTER_PAYING = "after paying"  # the confirmation email says whether the payment succeeded


class AtHold(StrEnum):
    """A shopper's intention with a hold."""

    PAY = "pay"
    LAPSE = "lapse"
    RELEASE = "release"


class Card(StrEnum):
    """The kind of card that a shopper pays with."""

    GOOD = "good"
    DECLINED_ONCE = "declined once"
    INSUFFICIENT_FUNDS_ONCE = "insufficient funds once"
    DECLINED_ALWAYS = "declined always"


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """One shopper's intentions. Fractions are in [0, 1)."""

    number: int
    late: bool  # arrives after the opening
    arrival: float  # fraction of the period in which such shoppers arrive
    joins_twice: bool  # the response is lost: the same client key asks again
    leaves: Leaves
    at_hold: AtHold
    tries_again: bool  # after a lapse: uses the second hold that a ticket has
    card: Card
    pays_twice: bool  # presses Pay twice at once
    taste: float  # which of the available editions
    greed: float  # 0: one piece; towards 1: as many as the limit allows
    haste: float  # fraction of the longest time to think


def draw(*, shoppers: int, seed: int) -> list[Behaviour]:
    """Return the behaviours of a crowd. Each depends on the seed and the shopper's number only."""
    return [_draw_one(number, Random(f"{seed}/{number}")) for number in range(shoppers)]


def _draw_one(number: int, rng: Random) -> Behaviour:
    leaves = _choose(
        rng,
        {Leaves.IN_LINE: 0.06, Leaves.AT_PICKING: 0.05, Leaves.AFTER_PAYING: 0.08},
        otherwise=Leaves.NEVER,
    )
    cards = {Card.DECLINED_ONCE: 0.08, Card.INSUFFICIENT_FUNDS_ONCE: 0.04, Card.DECLINED_ALWAYS: 0.02}
    card = _choose(rng, cards, otherwise=Card.GOOD)
    if leaves is Leaves.AFTER_PAYING:
        # A declined shopper who leaves would block the units for two minutes, and lengthen the rehearsal.
        card = Card.GOOD
    # Keep the order of these draws: a different one would give the same seed a different crowd.
    return Behaviour(
        number=number,
        late=rng.random() < 0.25,
        arrival=rng.random(),
        joins_twice=rng.random() < 0.1,
        leaves=leaves,
        at_hold=_choose(rng, {AtHold.LAPSE: 0.08, AtHold.RELEASE: 0.05}, otherwise=AtHold.PAY),
        tries_again=rng.random() < 0.5,
        card=card,
        pays_twice=rng.random() < 0.1,
        taste=rng.random(),
        greed=rng.random() if rng.random() < 0.25 else 0.0,
        haste=rng.random(),
    )


def _choose(rng: Random, probabilities: dict[T, float], *, otherwise: T) -> T:
    """Draw once. The probabilities sum to less than 1; `otherwise` has the rest."""
    point = rng.random()
    for option, probability in probabilities.items():
        point -= probability
        if point < 0:
            return option
    return otherwise
