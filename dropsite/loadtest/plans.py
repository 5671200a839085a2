"""What each simulated shopper means to do, drawn from a seed: the same seed, the same crowd.

A plan holds intentions and fractions of time, never seconds: how fast a crowd lives is the crowd's Pace.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Leaves(StrEnum):
    """Where a shopper walks away for good."""

    NEVER = "never"
    IN_LINE = "in line"
    AT_PICKING = "at picking"
    AFTER_PAYING = "after paying"  # the page is closed: whether it went through they learn from their mail


class AtHold(StrEnum):
    """What a shopper does with the units that are set aside."""

    PAY = "pay"
    LAPSE = "lapse"
    GIVE_BACK = "give back"


class Card(StrEnum):
    """Which card a shopper pays with."""

    GOOD = "good"
    DECLINED_ONCE = "declined once"
    POOR_ONCE = "insufficient funds once"
    DECLINED_ALWAYS = "declined always"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One shopper's intentions. Fractions lie in [0, 1)."""

    number: int
    late: bool  # comes after the opening
    arrives: float  # fraction of the span in which such shoppers come
    joins_twice: bool  # the answer is lost: the same client key asks again
    leaves: Leaves
    at_hold: AtHold
    tries_again: bool  # after a lapse: takes the second hold that a ticket has
    card: Card
    pays_twice: bool  # presses Pay two times at once
    taste: float  # which of the editions that are there
    greed: float  # 0: one piece; towards 1: as many as the limit allows
    haste: float  # fraction of the longest time to think


def draw(*, shoppers: int, seed: int) -> list[Plan]:
    """Plans for a crowd. A shopper's plan does not depend on how many come."""
    return [_plan(number, Random(f"{seed}/{number}")) for number in range(shoppers)]


def _plan(number: int, dice: Random) -> Plan:
    leaves = _one_of(
        dice, {Leaves.IN_LINE: 0.06, Leaves.AT_PICKING: 0.05, Leaves.AFTER_PAYING: 0.08}, otherwise=Leaves.NEVER
    )
    cards = {Card.DECLINED_ONCE: 0.08, Card.POOR_ONCE: 0.04, Card.DECLINED_ALWAYS: 0.02}
    card = _one_of(dice, cards, otherwise=Card.GOOD)
    return Plan(
        number=number,
        late=dice.random() < 0.25,
        arrives=dice.random(),
        joins_twice=dice.random() < 0.1,
        leaves=leaves,
        at_hold=_one_of(dice, {AtHold.LAPSE: 0.08, AtHold.GIVE_BACK: 0.05}, otherwise=AtHold.PAY),
        tries_again=dice.random() < 0.5,
        # Who is declined and gone keeps units from the others for two minutes: nobody is to wait for that.
        card=Card.GOOD if leaves is Leaves.AFTER_PAYING else card,
        pays_twice=dice.random() < 0.1,
        taste=dice.random(),
        greed=dice.random() if dice.random() < 0.25 else 0.0,
        haste=dice.random(),
    )


def _one_of(dice: Random, chances: dict[T, float], *, otherwise: T) -> T:
    """Draw once; the chances add up to less than 1."""
    point = dice.random()
    for what, chance in chances.items():
        point -= chance
        if point < 0:
            return what
    return otherwise
