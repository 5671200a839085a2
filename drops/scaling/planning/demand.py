"""What a crowd demands of each group in its busiest second, and why. Pure.

    arrivals:   expected × share of the crowd that comes in that second × weight of an arrival    edge, gate, line Redis
    status:     who is there looks as the poll rule says; right after the opening all of them do  edge
    admission:  shoppers let in × weight of one who is let in                                     all groups

Cost follows stock: who is not let in never reaches web, workers and database.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _

from drops import admission
from drops.scaling.planning import arrivals
from drops.scaling.planning.arrivals import Moment
from drops.scaling.planning.inputs import GROUPS, LINE, PlanInputs, Weight
from drops.waitingroom.protocol.status import max_poll_seconds

# All who wait look within 3 s of the opening, but none before its first second has passed: two thirds of them meet in
# the second after that (drops.waitingroom.protocol.status.poll_seconds).
OPENING_SHARE = 2 / 3
STEPS = 200  # of the integral over places in the line


@dataclass(frozen=True)
class GroupDemand:
    """Units of work in a second (requests, tasks, statements, commands), and the sentences that lead to them."""

    per_second: float
    reasons: tuple[str, ...]


def admitted(facts: PlanInputs) -> tuple[float, str]:
    """Give how many shoppers a second are let in at the most, and which bound says so."""
    bounds = [
        (
            facts.payments_per_second,
            f"payments: Stripe's budget carries {short(facts.payments_per_second)} shoppers a second",
        ),
        (
            facts.checkout_slots / admission.AHEAD_SECONDS,
            f"checkout: {facts.checkout_slots} slots, taken in {admission.AHEAD_SECONDS} s",
        ),
        (
            facts.served / admission.AHEAD_SECONDS,
            f"stock: {whole(facts.units)} units are good for {whole(facts.served)} shoppers, who may all be let in within {admission.AHEAD_SECONDS} s",
        ),
    ]
    return min(bounds)


def demand(facts: PlanInputs) -> Mapping[str, GroupDemand]:
    """Give each group's demand in its busiest second."""
    rate, bound = admitted(facts)
    return {group: _of_group(facts, facts.weights.get(group, Weight(group=group)), rate, bound) for group in GROUPS}


def _of_group(facts: PlanInputs, weight: Weight, rate: float, bound: str) -> GroupDemand:
    reasons, amount = [], weight.steady
    if weight.group in LINE:
        amount_line, why = _from_the_line(facts, weight)
        amount += amount_line
        reasons.append(why)
    if weight.per_admitted and not (weight.group in LINE and weight.peak_per_shopper):
        amount += rate * weight.per_admitted
        reasons.append(
            f"{short(rate)} shoppers let in a second × {short(weight.per_admitted)} each = {short(rate * weight.per_admitted)}/s ({bound})"
        )
    if weight.steady:
        reasons.append(f"{short(weight.steady)}/s whoever comes")
    return GroupDemand(amount, (*reasons, *weight.evidence))


def _from_the_line(facts: PlanInputs, weight: Weight) -> tuple[float, str]:
    """What those who come and wait ask for in the busiest second."""
    if weight.peak_per_shopper:
        amount = facts.expected * weight.peak_per_shopper
        return (
            amount,
            f"{whole(facts.expected)} shoppers × {short(weight.peak_per_shopper)} in the busiest second, as measured = {short(amount)}/s",
        )
    polled = weight.group == "edge"
    busiest = max(_moments(facts), key=lambda at: _asked(facts, weight, at, polled=polled))
    amount = _asked(facts, weight, busiest, polled=polled)
    words = f"{short(facts.expected * busiest.arriving)} of {whole(facts.expected)} come in the busiest second ({_when(busiest)}) × {short(weight.per_arrival)} each"
    if polled:
        words += f", and {short(facts.expected * busiest.present * _looking(facts, busiest))} looks at the status by {whole(facts.expected * busiest.present)} who are there"
    return amount, words + f" = {short(amount)}/s"


def _moments(facts: PlanInputs) -> list[Moment]:
    return list(arrivals.moments(facts.curve, lobby_seconds=lobby_seconds(facts)))


def _asked(facts: PlanInputs, weight: Weight, at: Moment, *, polled: bool) -> float:
    looks = at.present * _looking(facts, at) if polled else 0.0
    return facts.expected * (at.arriving * weight.per_arrival + looks)


def _looking(facts: PlanInputs, at: Moment) -> float:
    """The part of those present that looks at the status in that second."""
    least, most, _share = facts.polls
    if at.at == 0:
        return max(OPENING_SHARE, 1 / least)
    return 1 / most if at.at < 0 else _looks_in_line(facts)


def _looks_in_line(facts: PlanInputs) -> float:
    """The mean over all places of how often one looks a second, once the drop is open."""
    least, most, share = facts.polls
    most = min(most, max_poll_seconds(facts.expected))
    wait = facts.expected / facts.selling_per_second
    intervals = (min(most, max(least, wait * (step + 0.5) / STEPS / share)) for step in range(STEPS))
    return sum(1 / seconds for seconds in intervals) / STEPS


def _when(moment: Moment) -> str:
    if moment.at == 0:
        return "the drop opens"
    if moment.at < 0:
        return f"{whole(-moment.at)} s before the drop opens"
    return f"{whole(moment.at)} s after the drop opens"


def lobby_seconds(facts: PlanInputs) -> float:
    """How long the lobby is open."""
    if facts.lobby_opens_at is None or facts.opens_at is None:
        return 600.0
    return max(1.0, (facts.opens_at - facts.lobby_opens_at).total_seconds())


def polls(facts: PlanInputs) -> float:
    """How many looks at the status there are altogether, from the lobby's opening until the drop is over."""
    if facts.opens_at is None or facts.ends_at is None:
        return 0.0
    _least, most, _share = facts.polls
    before = sum(
        share * ((0 - begins) - (ends - begins) / 2) / most if ends <= 0 else 0.0
        for begins, ends, share in facts.curve.placed(lobby_seconds=lobby_seconds(facts))
    )
    selling = facts.served / facts.selling_per_second if facts.sells_out else 60.0
    return facts.expected * (before + 1 + selling * _looks_in_line(facts))


def whole(number: float) -> str:
    """Say a figure without decimals: 12,000."""
    return f"{number:,.0f}"


def short(number: float) -> str:
    """Say a figure with as many decimals as it needs to say something: 1,234 · 12.3 · 0.045."""
    if number == 0 or abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:,.1f}".removesuffix(".0") if abs(number) >= 10 else f"{number:.2g}"
