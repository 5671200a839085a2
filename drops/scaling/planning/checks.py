"""Checks of a plan's inputs: problems, for which it is refused, and warnings. Pure.

Each is a sentence that says what is wrong and how to fix it.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import timedelta
from math import ceil

from drops.admission import CALLS_PER_PAYMENT
from drops.scaling.planning.capacity import ConnectionUse, unscaled_groups
from drops.scaling.planning.figures import short, whole
from drops.scaling.planning.inputs import GROUPS, PlanInputs, TargetInputs

MAX_EXPECTED_SHOPPERS = 10_000_000  # a line keeps four bytes for each index in Redis
MAX_PAYING_MINUTES = 15  # the life of a ConfirmationToken, less what 3-D Secure takes
MAX_PAYING_SECONDS = MAX_PAYING_MINUTES * 60


def problems(inputs: PlanInputs) -> list[str]:
    """Return the reasons for which the plan is refused."""
    found = []
    if inputs.expected <= 0:
        found.append("Expected shoppers must be at least 1.")
    elif inputs.expected > MAX_EXPECTED_SHOPPERS:
        found.append(
            f"Expected shoppers: {whole(inputs.expected)} is more than a line can take "
            f"({whole(MAX_EXPECTED_SHOPPERS)}). Check for an extra zero."
        )
    if inputs.is_over:
        found.append("The drop is over, so there is nothing to scale for.")
    if inputs.lobby_opens_at is None or inputs.opens_at is None:
        found.append("The drop has no times yet: set when the lobby and the drop open.")
    if inputs.units <= 0:
        found.append(
            "The drop has nothing to sell: add an edition with a quantity, or release withheld units."
        )
    for target in inputs.targets:
        found += _target_problems(target)
    return found + _duplicate_targets(inputs)


def _target_problems(target: TargetInputs) -> list[str]:
    found = []
    if target.floor > target.ceiling:
        found.append(
            f"{target.name}: the floor ({target.floor}) is above the ceiling ({target.ceiling}). "
            "Lower the floor or raise the ceiling."
        )
    if target.ops_ceiling is not None and target.ops_ceiling > target.ceiling:
        found.append(
            f"{target.name}: ops' ceiling ({target.ops_ceiling}) is above the ceiling ({target.ceiling}). "
            "Lower ops' ceiling or raise the ceiling."
        )
    found += [
        f"{target.name}: the throughput of one instance for {share.group} must be above 0 per second."
        for share in target.shares
        if share.per_second <= 0
    ]
    return found


def _duplicate_targets(inputs: PlanInputs) -> list[str]:
    names = defaultdict(list)
    for target in inputs.targets:
        names[target.resource].append(target.name)
    return [
        f"{', '.join(sorted(same))} are the same resource ({resource}). Keep one of these targets and delete the rest."
        for resource, same in sorted(names.items())
        if len(same) > 1
    ]


def too_many_connections(inputs: PlanInputs, use: ConnectionUse, sizes: Mapping[int, int]) -> list[str]:
    """Return the problem of fleets that need more connections than the database allows."""
    if use.fits:
        return []
    connected = [target for target in inputs.targets if target.connections]
    largest = max(connected, key=lambda target: sizes.get(target.id, 0) * target.connections, default=None)
    name = largest.name if largest else "the processes"
    return [
        f"Database connections: {use.message} Use smaller pools in {name}, or let the database allow more."
    ]


def warnings(inputs: PlanInputs) -> list[str]:
    """Return what ops should know although the plan is accepted."""
    found = [*inputs.left_out, *_payment_warnings(inputs), *_slot_warnings(inputs), *_share_warnings(inputs)]
    found += [
        f"{target.name} is stopped and won't be scaled: {target.stopped_reason}"
        for target in inputs.targets
        if target.stopped_reason
    ]
    if inputs.opens_at and not inputs.sells_out and inputs.closes_at is None:
        found.append(
            "Fewer shoppers are expected than there are units, and the drop has no closing time: the"
            " capacity stays until somebody closes the drop. Set a closing time."
        )
    return found


def _payment_warnings(inputs: PlanInputs) -> list[str]:
    seconds = inputs.units / max(0.01, inputs.payments_per_second)
    if seconds <= MAX_PAYING_SECONDS:
        return []
    needed_per_second = inputs.units / MAX_PAYING_SECONDS
    sentence = (
        f"Payments: {whole(inputs.units)} units at {short(inputs.payments_per_second)} a second take"
        f" {short(seconds / 60)} minutes, but card details that a shopper entered are valid for"
        f" {MAX_PAYING_MINUTES}. Ask Stripe for a higher rate limit six weeks ahead, then set"
        f" STRIPE_CALLS_PER_OPERATION to {whole(ceil(needed_per_second))} and STRIPE_CALLS_PER_SECOND to"
        f" {whole(ceil(needed_per_second * CALLS_PER_PAYMENT))}; or offer fewer units in one drop."
    )
    return [sentence]


def _slot_warnings(inputs: PlanInputs) -> list[str]:
    slots_per_second = inputs.checkout_slots / max(1.0, inputs.checkout_seconds)
    seconds = inputs.total_admitted / slots_per_second
    if slots_per_second >= inputs.payments_per_second or seconds <= MAX_PAYING_SECONDS:
        return []
    slots_needed = inputs.payments_per_second * inputs.checkout_seconds
    sentence = (
        f"Checkout: {inputs.checkout_slots} slots, each taken for about {short(inputs.checkout_seconds)} s,"
        f" let {short(slots_per_second)} shoppers a second buy; {whole(inputs.total_admitted)} shoppers"
        f" take {short(seconds / 60)} minutes. Set CHECKOUT_SLOTS to {whole(slots_needed)} to use all of"
        " the payment rate, or shorten the hold."
    )
    return [sentence]


def _share_warnings(inputs: PlanInputs) -> list[str]:
    percents: Counter[str] = Counter()
    for target in inputs.targets:
        for share in target.shares:
            percents[share.group] += share.percent
    found = [
        f"{group}: the targets' shares add up to {percent} %, not to 100 %."
        for group, percent in sorted(percents.items())
        if percent != 100
    ]
    missing = [group for group in GROUPS if not percents[group] and group not in inputs.fixed_groups]
    if missing:
        found.append(f"No target carries {', '.join(missing)}, so they aren't scaled.")
    unscaled = unscaled_groups(inputs=inputs)
    if unscaled:
        found.append("As it is, the go / no-go will be a no-go.")
    return found + [group.reason for group in unscaled]


def lead_time_warnings(inputs: PlanInputs, target: TargetInputs) -> list[str]:
    """Return the warning about a target whose lead time is longer than the time left.

    It is scaled all the same.
    """
    if inputs.lobby_opens_at is None or inputs.lobby_opens_at <= inputs.now:
        return []  # once the lobby is open, nobody can open it later
    left = inputs.lobby_opens_at - timedelta(seconds=inputs.go_seconds) - inputs.now
    if left >= timedelta(seconds=target.lead_seconds):
        return []
    seconds_left = whole(max(0.0, left.total_seconds()))
    sentence = (
        f"{target.name} needs {whole(target.lead_seconds)} s, but only {seconds_left} s are left until the"
        " go / no-go. It starts at once and may be late; admission is limited to what is ready by then."
        " Open the lobby later to have all of it."
    )
    return [sentence]
