"""The demand that a crowd makes on each group in its busiest second, and why. Pure.

arrivals    expected × share that arrives in that second × weight of an arrival         edge, gate, line Redis
status      waiting pages poll by the poll rule; after the opening, nearly all at once  edge
admission   shoppers admitted × weight of an admitted shopper                           all groups

Cost follows stock: shoppers who aren't admitted never reach web, workers and database.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from drops import admission
from drops.scaling.planning import arrivals
from drops.scaling.planning.arrivals import Moment
from drops.scaling.planning.figures import short, whole
from drops.scaling.planning.inputs import GROUPS, LINE_GROUPS, PlanInputs, Weight
from drops.waitingroom.protocol.status import max_poll_seconds

# Every waiting page polls within 3 s of the opening, but none in the first second: two thirds of them poll in
# the second after that (drops.waitingroom.protocol.status.poll_seconds).
OPENING_POLL_SHARE = 2 / 3
DEFAULT_LOBBY_SECONDS = 600.0  # of a drop without times
INTEGRATION_STEPS = 200  # over the places in line


@dataclass(frozen=True)
class GroupDemand:
    """Units of work per second (requests, tasks, statements, commands), with sentences that explain them."""

    per_second: float
    reasons: tuple[str, ...]


def admission_rate(inputs: PlanInputs) -> tuple[float, str]:
    """Return how many shoppers per second are admitted at most, and what limits them."""
    seconds = admission.AHEAD_SECONDS
    stock_limit = (
        f"stock: {whole(inputs.units)} units are enough for {whole(inputs.total_admitted)} shoppers, "
        f"who may all be admitted within {seconds} s"
    )
    return min(
        (
            inputs.payments_per_second,
            f"payments: Stripe's rate limit allows {short(inputs.payments_per_second)} shoppers a second",
        ),
        (
            inputs.checkout_slots / seconds,
            f"checkout: {inputs.checkout_slots} slots may be taken within {seconds} s",
        ),
        (inputs.total_admitted / seconds, stock_limit),
    )


def group_demands(inputs: PlanInputs) -> Mapping[str, GroupDemand]:
    """Return each group's demand in its busiest second."""
    rate, limit = admission_rate(inputs)
    demands = {}
    for group in GROUPS:
        weight = inputs.weights.get(group, Weight(group=group))
        demands[group] = _group_demand(inputs, weight, rate, limit)
    return demands


def _group_demand(inputs: PlanInputs, weight: Weight, rate: float, limit: str) -> GroupDemand:
    amount, reasons = weight.steady, []
    if weight.group in LINE_GROUPS:
        line_amount, reason = _line_demand(inputs, weight)
        amount += line_amount
        reasons.append(reason)
    # A measured peak of a group of the line has the admitted shoppers in it already.
    is_in_peak = weight.group in LINE_GROUPS and weight.peak_per_shopper
    if weight.per_admitted and not is_in_peak:
        admitted_amount = rate * weight.per_admitted
        amount += admitted_amount
        reasons.append(
            f"{short(rate)} shoppers admitted a second × {short(weight.per_admitted)} each "
            f"= {short(admitted_amount)}/s ({limit})"
        )
    if weight.steady:
        reasons.append(f"{short(weight.steady)}/s however many come")
    return GroupDemand(amount, (*reasons, *weight.evidence))


def _line_demand(inputs: PlanInputs, weight: Weight) -> tuple[float, str]:
    """Return what arriving and waiting shoppers need in the busiest second, and why."""
    if weight.peak_per_shopper:
        amount = inputs.expected * weight.peak_per_shopper
        reason = (
            f"{whole(inputs.expected)} shoppers × {short(weight.peak_per_shopper)} in the busiest second,"
            f" as measured = {short(amount)}/s"
        )
        return amount, reason
    has_polls = weight.group == "edge"
    moments = arrivals.moments(inputs.curve, lobby_seconds=lobby_seconds(inputs))
    busiest = max(moments, key=lambda moment: _requests_at(inputs, weight, moment, has_polls=has_polls))
    amount = _requests_at(inputs, weight, busiest, has_polls=has_polls)
    arriving = (
        f"{short(inputs.expected * busiest.arriving)} of {whole(inputs.expected)} shoppers arrive in the"
        f" busiest second ({_when(busiest)}) × {short(weight.per_arrival)} each"
    )
    if not has_polls:
        return amount, f"{arriving} = {short(amount)}/s"
    present = inputs.expected * busiest.present
    polled = present * _polling_share(inputs, busiest)
    return (
        amount,
        f"{arriving}, and {short(polled)} polls by {whole(present)} who are waiting = {short(amount)}/s",
    )


def _requests_at(inputs: PlanInputs, weight: Weight, moment: Moment, *, has_polls: bool) -> float:
    polled = moment.present * _polling_share(inputs, moment) if has_polls else 0.0
    return inputs.expected * (moment.arriving * weight.per_arrival + polled)


def _polling_share(inputs: PlanInputs, moment: Moment) -> float:
    """Return the part of the waiting pages that polls in a second."""
    if moment.at == 0:
        return max(OPENING_POLL_SHARE, 1 / inputs.polls.min_seconds)
    if moment.at < 0:
        return 1 / inputs.polls.max_seconds
    return polls_per_second(inputs)


def polls_per_second(inputs: PlanInputs) -> float:
    """Return how often a waiting page polls once the drop is open: the mean over all places in line."""
    rule = inputs.polls
    longest = min(rule.max_seconds, max_poll_seconds(inputs.expected))
    longest_wait = inputs.expected / inputs.purchases_per_second
    total = 0.0
    for step in range(INTEGRATION_STEPS):
        wait = longest_wait * (step + 0.5) / INTEGRATION_STEPS
        total += 1 / min(longest, max(rule.min_seconds, wait / rule.wait_divisor))
    return total / INTEGRATION_STEPS


def _when(moment: Moment) -> str:
    if moment.at == 0:
        return "when the drop opens"
    if moment.at < 0:
        return f"{whole(-moment.at)} s before the drop opens"
    return f"{whole(moment.at)} s after the drop opens"


def lobby_seconds(inputs: PlanInputs) -> float:
    """Return how long the lobby is open."""
    if inputs.lobby_opens_at is None or inputs.opens_at is None:
        return DEFAULT_LOBBY_SECONDS
    return max(1.0, (inputs.opens_at - inputs.lobby_opens_at).total_seconds())


def total_polls(inputs: PlanInputs) -> float:
    """Return how many polls there are in total, from the lobby's opening until the drop is over."""
    if inputs.opens_at is None or inputs.ends_at is None:
        return 0.0
    in_lobby = 0.0  # by one shopper, on average
    for begins, ends, share in inputs.curve.placed(lobby_seconds=lobby_seconds(inputs)):
        if ends <= 0:
            mean_wait = -(begins + ends) / 2
            in_lobby += share * mean_wait / inputs.polls.max_seconds
    selling_seconds = inputs.total_admitted / inputs.purchases_per_second if inputs.sells_out else 60.0
    at_opening = 1
    return inputs.expected * (in_lobby + at_opening + selling_seconds * polls_per_second(inputs))
