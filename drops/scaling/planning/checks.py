"""What is wrong with the facts of a plan: problems, for which it is refused, and warnings. Pure.

Each is a sentence that names what is wrong and how it is mended.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import timedelta

from django.utils.translation import gettext as _

from drops.scaling.planning.capacity import Connections
from drops.scaling.planning.demand import short, whole
from drops.scaling.planning.inputs import GROUPS, PlanInputs, TargetInputs

MOST_EXPECTED = 10_000_000  # a line keeps four bytes for each index in Redis
PAYING_SECONDS = 15 * 60  # a ConfirmationToken's life, less what 3-D Secure takes


def problems(facts: PlanInputs) -> list[str]:
    """Give what a plan is refused for."""
    found = []
    if facts.expected <= 0:
        found.append("Expected shoppers: 0 is no crowd. Type how many people you expect in the line, all in all.")
    elif facts.expected > MOST_EXPECTED:
        found.append(
            f"Expected shoppers: {whole(facts.expected)} is more than the {whole(MOST_EXPECTED)} a line is built for. Is there a zero too many?"
        )
    if facts.over:
        found.append("The drop is over: nothing is prepared for it any more.")
    if facts.lobby_opens_at is None or facts.opens_at is None:
        found.append("The drop has no times yet: set when its lobby and the drop open.")
    if facts.units <= 0:
        found.append("The drop has nothing to sell: add an edition with a quantity, or give withheld units back.")
    for target in facts.targets:
        found += _of_target(target)
    return found + _twice(facts)


def _of_target(target: TargetInputs) -> list[str]:
    found = []
    if target.floor > target.ceiling:
        found.append(
            f"{target.name}: its floor, {target.floor}, is above its ceiling, {target.ceiling}. Lower the one or raise the other."
        )
    if target.ops_ceiling is not None and target.ops_ceiling > target.ceiling:
        found.append(
            f"{target.name}: ops' ceiling, {target.ops_ceiling}, lies above its ceiling, {target.ceiling}, which it can never pass."
        )
    found += [
        f"{target.name}: requests a second of one instance for {part.group} must be above 0."
        for part in target.parts
        if part.per_second <= 0
    ]
    return found


def _twice(facts: PlanInputs) -> list[str]:
    names = defaultdict(list)
    for target in facts.targets:
        names[target.resource].append(target.name)
    return [
        f"{', '.join(sorted(same))} are the same thing ({resource}). Delete all of these targets but one."
        for resource, same in sorted(names.items())
        if len(same) > 1
    ]


def too_many_connections(facts: PlanInputs, fleet: Connections, sizes: Mapping[int, int]) -> list[str]:
    """Give the refusal of a fleet that the database has no connections for."""
    if fleet.fits:
        return []
    takers = [target for target in facts.targets if target.connections]
    most = max(takers, key=lambda target: sizes.get(target.id, 0) * target.connections, default=None)
    who = most.name if most else "the processes"
    return [f"Database connections: {fleet.message} Let {who} have fewer or smaller pools, or give the database more."]


def warnings(facts: PlanInputs) -> list[str]:
    """Give what is told and does not hinder."""
    found = [*facts.left_out, *_payments(facts), *_slots(facts), *_shares(facts)]
    found += [
        f"{target.name} is stopped, nothing is asked of it: {target.stopped}"
        for target in facts.targets
        if target.stopped
    ]
    if facts.opens_at and not facts.sells_out and facts.closes_at is None:
        found.append(
            ("Fewer shoppers are expected than there are units, and the drop has no closing time: the capacity would"
              " be held until somebody closes it. Set when it closes.")
        )  # fmt: skip
    return found


def _payments(facts: PlanInputs) -> list[str]:
    seconds = facts.units / max(0.01, facts.payments_per_second)
    if seconds <= PAYING_SECONDS:
        return []
    need = facts.units / PAYING_SECONDS
    return [
        f"Payments: {whole(facts.units)} units at {short(facts.payments_per_second)} a second take {short(seconds / 60)} minutes, and what a shopper typed is good for 15. Ask Stripe for a higher limit, six weeks ahead, and set STRIPE_CALLS_PER_OPERATION to {whole(-(-need // 1))} and STRIPE_CALLS_PER_SECOND to {whole(-(-need * 3 // 1))}; or offer fewer units in one drop."
    ]  # fmt: skip


def _slots(facts: PlanInputs) -> list[str]:
    carried = facts.checkout_slots / max(1.0, facts.checkout_seconds)
    seconds = facts.served / carried
    if carried >= facts.payments_per_second or seconds <= PAYING_SECONDS:
        return []
    return [
        f"Checkout: {facts.checkout_slots} slots, each taken for about {short(facts.checkout_seconds)} s, let {short(carried)} shoppers a second buy: {whole(facts.served)} of them take {short(seconds / 60)} minutes. Set CHECKOUT_SLOTS to {whole(facts.payments_per_second * facts.checkout_seconds)} to reach what payments carry, or shorten the hold."
    ]  # fmt: skip


def _shares(facts: PlanInputs) -> list[str]:
    carried: Counter[str] = Counter()
    for target in facts.targets:
        for part in target.parts:
            carried[part.group] += part.percent
    odd = {group: percent for group, percent in carried.items() if percent != 100}
    words = _("%(group)s: the targets' shares add up to %(n)s %%, not to 100.")
    found = [words % {"group": group, "n": percent} for group, percent in sorted(odd.items())]
    missing = [group for group in GROUPS if not carried[group]]
    if missing:
        found.append(f"No target carries {', '.join(missing)}: they stay as they are.")
    return found


def short_of_time(facts: PlanInputs, target: TargetInputs) -> list[str]:
    """Say that a target's lead time is longer than what is left, if it is; it is asked for at once all the same."""
    if facts.lobby_opens_at is None:
        return []
    left = facts.lobby_opens_at - timedelta(seconds=facts.go_seconds) - facts.now
    if left >= timedelta(seconds=target.lead_seconds):
        return []
    words = _(
        "%(target)s needs %(lead)s s, and %(left)s s are left before the go or no-go: it starts at once and may be"
        " late. What is ready by then is what will be let in; open the lobby later to have it all."
    )
    return [words % {"target": target.name, "lead": target.lead_seconds, "left": whole(max(0.0, left.total_seconds()))}]
