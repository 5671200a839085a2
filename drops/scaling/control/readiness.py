"""Go / no-go: from shortly before the lobby opens, every tick compares what is ready with the plan.

Admission is limited to what is ready. All drops share the fleets, so one limit holds for all of them, and it
ends with the last one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models.functions import Now

from drops import admission, lifecycle
from drops.models import Ceiling, Drop
from drops.scaling.control import alerts, provider_calls, scale_plans
from drops.scaling.models import ScalePlan, Step, Target
from drops.scaling.planning import capacity, demand, planner, read_inputs
from drops.scaling.planning.inputs import PlanInputs
from drops.scaling.providers import ProviderError

State = Step.State
GO, NO_GO = "go", "no-go"
STALE_TICKS = 3  # without a reading, after which a target's size counts as unknown
MAX_INTEGER = 2**31 - 1  # of the database


@dataclass(frozen=True)
class Readiness:
    """The go / no-go of a drop."""

    drop: Drop
    shortfalls: tuple[str, ...]  # which target isn't ready, why, and what to do; without any it is a go
    messages: tuple[str, ...]  # the shortfalls, and which target limits admission
    shoppers_per_second: float | None  # that can be admitted; None: nothing was scaled

    @property
    def verdict(self) -> str:
        if self.shortfalls:
            return NO_GO
        return GO


def end_limits(*, plans: Sequence[ScalePlan]) -> None:
    """Lift the limit on admission if no drop needs it any more, and end the alerts of drops that are over.

    To be called before any target is scaled down.
    """
    if not plans:
        admission.lift_ceiling(drop=None, kind=Ceiling.Kind.READY_CAPACITY)
    alerts.resolve_for_drops(drops=Drop.objects.ended())


def due_plans(*, now: datetime) -> list[ScalePlan]:
    """Return the scale plans whose go / no-go is due and whose drop isn't over."""
    drops = Drop.objects.announced().filter(lobby_opens_at__lte=now + scale_plans.go_before_lobby())
    drops = drops.exclude(closed_at__isnull=False).with_state()
    running = [drop.pk for drop in drops if lifecycle.phase(drop=drop, now=now) not in lifecycle.ENDED_PHASES]
    return list(ScalePlan.objects.filter(drop__in=running).select_related("drop"))


def check_due(*, plans: Sequence[ScalePlan], now: datetime, is_news: bool = True) -> list[str]:
    """Check every drop whose go / no-go is due, and limit admission to what is ready for the least of them.

    Return a line for each verdict that changed. Without news of steps or targets, a go stays a go.
    """
    if plans and not is_news and all(is_settled(plan) for plan in plans):
        return []
    checked = [(plan, check(scale_plan=plan, now=now)) for plan in plans]
    limits = [
        (readiness.shoppers_per_second, readiness.messages)
        for _plan, readiness in checked
        if readiness.shoppers_per_second is not None
    ]
    if limits:
        shoppers_per_second, messages = min(limits, key=lambda limit: limit[0])
        limit_admission(shoppers_per_second=shoppers_per_second, messages=messages)
    else:
        admission.lift_ceiling(drop=None, kind=Ceiling.Kind.READY_CAPACITY)
    return [
        f"{readiness.drop.slug}: {readiness.verdict}; {' '.join(readiness.messages)}".rstrip("; ")
        for plan, readiness in checked
        if (plan.verdict, plan.verdict_messages) != (readiness.verdict, list(readiness.messages))
    ]


def is_settled(scale_plan: ScalePlan) -> bool:
    """Whether the verdict is a go, of the present plan."""
    return scale_plan.verdict == GO and scale_plan.verdict_planned_at == scale_plan.planned_at


def check(*, scale_plan: ScalePlan, now: datetime) -> Readiness:
    """Check one drop, store the verdict, and alert ops of a no-go."""
    readiness = assess(scale_plan=scale_plan, now=now)
    reachable = None
    if readiness.shoppers_per_second is not None:
        reachable = min(MAX_INTEGER, int(readiness.shoppers_per_second))
    row = ScalePlan.objects.filter(pk=scale_plan.pk)
    # The time is that of the first tick with this verdict.
    row.exclude(verdict=readiness.verdict).update(verdict=readiness.verdict, verdict_at=Now())
    # Of the plan that was read: one that is stored while this check runs is checked by the next tick.
    row.update(
        verdict_messages=list(readiness.messages),
        shoppers_per_second=reachable,
        verdict_planned_at=scale_plan.planned_at,
    )
    alert_subject = f"drop:{readiness.drop.slug} no-go"
    if readiness.verdict == GO:
        alerts.resolve(subject=alert_subject)
    else:
        alerts.raise_alert(subject=alert_subject, drop=readiness.drop, message=no_go_message(readiness))
    return readiness


def no_go_message(readiness: Readiness) -> str:
    """Return the text of the alert."""
    if readiness.shoppers_per_second is None:
        consequence = "The drop still sells, at the baseline's pace."
    else:
        rate = f"{readiness.shoppers_per_second:.0f}"
        consequence = f"The drop still sells: {rate} shoppers a second can be admitted."
    return "\n".join([f"No-go for {readiness.drop}.", *readiness.messages, consequence])


def assess(*, scale_plan: ScalePlan, now: datetime) -> Readiness:
    """Compare what is ready with a drop's plan. Writes nothing."""
    drop = scale_plan.drop
    rows = list(Step.objects.filter(drop=drop).select_related("drop__scale_plan", "target"))
    inputs = read_inputs.read(drop=drop, expected=scale_plan.expected, now=now)
    ended = {step.target_id for step in rows if step.state == State.RELEASING or step.state in Step.OVER}
    sizes = {target.pk: verified_size(target=target, now=now) for target in Target.objects.all()}
    unscaled = capacity.unscaled_groups(inputs=inputs, ended=ended)
    shortfalls = [sentence for step in rows if (sentence := shortfall(step=step, now=now))]
    problems = (scale_plan.plan or {}).get("problems", [])
    shortfalls += problems
    if not problems:  # with problems there are no steps, and they say why
        planned = {step.target_id for step in rows}
        shortfalls += unplanned_targets(inputs=inputs, sizes=sizes, planned=planned)
    shortfalls += [group.reason for group in unscaled]

    shoppers_per_second, limiting = capacity.reachable_rate(sizes=sizes, inputs=inputs)
    shoppers_per_second = min([shoppers_per_second, *(group.shoppers_per_second for group in unscaled)])
    is_scaled = any(step.state in Step.LEASES for step in rows)
    # If nothing was scaled, the baseline sets the pace, unless less of it is known to serve.
    if not is_scaled and shoppers_per_second >= inputs.baseline_per_second:
        return Readiness(drop, tuple(shortfalls), tuple(shortfalls), None)
    return Readiness(drop, tuple(shortfalls), (*shortfalls, *limiting), shoppers_per_second)


def unplanned_targets(
    *, inputs: PlanInputs, sizes: Mapping[int, int | None], planned: Collection[int]
) -> list[str]:
    """Return a sentence for each target that must grow although no step was ever made for it."""
    demands = demand.group_demands(inputs)
    found = []
    for target in inputs.targets:
        desired, _reasons = planner.required_size(target=target, demands=demands, inputs=inputs)
        size = capacity.verified_size(target=target, sizes=sizes)
        if target.id not in planned and size < desired:
            found.append(
                f"{target.name} has {size} of {desired} {target.unit}: no step was made for it. Check the"
                " plan and the last tick on the page of the scale plan."
            )
    return found


def shortfall(*, step: Step, now: datetime) -> str:
    """Return which target isn't ready, why, and what to do; empty if it is."""
    target = step.target
    if step.state in {State.RELEASING, *Step.OVER}:
        return ""
    size = verified_size(target=target, now=now)
    if size is None:  # the last verified one, and never less than the baseline
        size = max(target.ready_size or 0, target.baseline_size or 0)
    if step.state in {State.READY, State.HOLDING} and size >= step.desired_size and step.ready_at:
        return ""
    ready, desired = size_text(target, size), size_text(target, step.desired_size)
    return f"{target.name} has {ready} of {desired}: {reason(step=step)}"


def reason(*, step: Step) -> str:
    """Return why a target isn't ready, and what to do."""
    target = step.target
    if target.stopped_at:
        return f"{target.stopped_reason} Check it, then resume it, restore it, or leave it as it is."
    if step.needs_approval:
        return "the rest needs approval from ops. Approve it on the page of the scale plan."
    if target.error:
        return target.error
    if not target.enabled:
        return "it is disabled. Enable it on its page."
    if step.message and step.state == State.PLANNED:
        return step.message
    return "it is under way, but later than its lead time. Check its last reading."


def size_text(target: Target, size: int) -> str:
    """Return a size in the provider's unit: "4 tasks"."""
    try:
        return provider_calls.provider_of(target=target).format_size(size)
    except ProviderError:
        return str(size)


def verified_size(*, target: Target, now: datetime) -> int | None:
    """Return the size of a target that is surely ready now; None if it isn't known."""
    if target.ready_size is None or target.observed_at is None:
        return None
    oldest = now - timedelta(seconds=STALE_TICKS * settings.SCALING_TICK_SECONDS)
    if target.failures and target.observed_at < oldest:
        return None
    if target.desired_size is None:
        return target.ready_size
    return min(target.ready_size, target.desired_size)  # it may be about to scale down


def limit_admission(*, shoppers_per_second: float, messages: Sequence[str]) -> None:
    """Limit the admission of all drops together to what is ready."""
    sentence = f"Capacity: {shoppers_per_second:.0f} shoppers a second are ready."
    shoppers = min(MAX_INTEGER, int(shoppers_per_second * admission.AHEAD_SECONDS))
    explanation = " ".join([sentence, *messages[:1]])[:200]
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.READY_CAPACITY, shoppers=shoppers, reason=explanation)
