"""Go or no go: before the lobby opens, and from then on at each tick, what is READY is held against the plan.

Admission is held to what is READY, for all drops together: they share the fleets. It ends with the last of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from drops import admission, lifecycle
from drops.models import Ceiling, Drop
from drops.scaling.control import alerts, provider_calls, scale_plans, steps
from drops.scaling.models import ScalePlan, Step, Target
from drops.scaling.planning import capacity, read_inputs
from drops.scaling.providers import ProviderError

State = Step.State
STALE = 3  # ticks without a reading, after which a target's size counts as unknown
MOST = 2**31 - 1


@dataclass(frozen=True)
class Verdict:
    """What is said of a drop: `late` sentences say which target, why, what to do; none of them: go."""

    drop: Drop
    late: tuple[str, ...]
    words: tuple[str, ...]
    per_second: float | None  # shoppers that can be let in; None: nothing was scaled, the baseline holds

    @property
    def go(self) -> bool:
        return not self.late


def lift_over(*, now: datetime) -> None:
    """Lift the ceiling, once no drop needs it any more, before anything falls; and end the alerts of drops over."""
    if not due(now=now):
        admission.lift_ceiling(drop=None, kind=Ceiling.Kind.READY_CAPACITY)
    alerts.resolve_of_drops(drops=Drop.objects.ended())


def due(*, now: datetime) -> list[ScalePlan]:
    """Read the preparations whose go / no-go has come and whose drop is not over."""
    drops = Drop.objects.announced().filter(lobby_opens_at__lte=now + scale_plans.go_before()).with_state()
    on = [drop.pk for drop in drops.exclude(closed_at__isnull=False) if not is_over(drop, now)]
    return list(ScalePlan.objects.filter(drop__in=on).select_related("drop"))


def is_over(drop: Drop, now: datetime) -> bool:
    """Tell whether a drop needs no capacity any more."""
    return lifecycle.phase(drop=drop, now=now) in lifecycle.ENDED_PHASES


def judge_due(*, now: datetime, news: bool = True) -> list[str]:
    """Judge every drop that is due, hold admission to what is ready for the least of them, and say what changed.

    Without `news` of steps or targets what was judged a go stays one.
    """
    rows = due(now=now)
    if rows and not news and all(row.verdict == "go" for row in rows):
        return []
    verdicts = [judge(scale_plan=row, now=now) for row in rows]
    told = [(verdict.per_second, verdict.words) for verdict in verdicts if verdict.per_second is not None]
    if told:
        rate, words = min(told, key=lambda pair: pair[0])
        hold_to(per_second=rate, words=words)
    else:
        admission.lift_ceiling(drop=None, kind=Ceiling.Kind.READY_CAPACITY)
    return [line for row, verdict in zip(rows, verdicts, strict=True) for line in changed(row, verdict)]


def changed(before: ScalePlan, verdict: Verdict) -> list[str]:
    """Say a verdict, if it isn't what was said before."""
    word = "go" if verdict.go else "no go"
    if (before.verdict, before.verdict_words) == (word, list(verdict.words)):
        return []
    return [f"{verdict.drop.slug}: {word}; {' '.join(verdict.words)}".rstrip("; ")]


def judge(*, scale_plan: ScalePlan, now: datetime) -> Verdict:
    """Judge one drop, keep the verdict, and alert ops of a no-go."""
    verdict = weigh(scale_plan=scale_plan, now=now)
    rate = None if verdict.per_second is None else min(MOST, int(verdict.per_second))
    word = "go" if verdict.go else "no go"
    row = ScalePlan.objects.filter(pk=scale_plan.pk)
    row.exclude(verdict=word).update(verdict=word, verdict_at=Now())
    row.update(verdict_words=list(verdict.words), reachable=rate)
    about = f"drop:{verdict.drop.slug} no go"
    if verdict.go:
        alerts.resolve(subject=about)
    else:
        alerts.raise_alert(subject=about, drop=verdict.drop, message=no_go(verdict))
    return verdict


def no_go(verdict: Verdict) -> str:
    """Write what ops are told."""
    reached = (
        _("It sells at the baseline's pace.")
        if verdict.per_second is None
        else _("It sells: %(rate)s shoppers a second can be let in.") % {"rate": f"{verdict.per_second:.0f}"}
    )
    return "\n".join([_("No go for %(drop)s.") % {"drop": verdict.drop}, *verdict.words, reached])


def weigh(*, scale_plan: ScalePlan, now: datetime) -> Verdict:
    """Hold what is READY against a drop's plan."""
    drop = scale_plan.drop
    rows = list(steps.live().filter(drop=drop))
    late = [sentence for step in rows if (sentence := why_late(step=step, now=now))]
    late += (scale_plan.plan or {}).get("problems", [])
    if not any(step.state in Step.LEASES for step in rows):
        return Verdict(drop, tuple(late), tuple(late), None)
    sizes = {target.pk: verified(target=target, now=now) for target in Target.objects.all()}
    known = read_inputs.read(drop=drop, expected=scale_plan.expected, now=now)
    rate, binding = capacity.reachable(sizes=sizes, facts=known)
    return Verdict(drop, tuple(late), (*late, *binding), rate)


def why_late(*, step: Step, now: datetime) -> str:
    """Say of a step that is not READY which target, why, and what to do; nothing of one that is."""
    target = step.target
    size = verified(target=target, now=now)
    known = size if size is not None else max(target.ready_size or 0, target.baseline_size or 0)
    if step.state in {State.RELEASING, *Step.OVER}:
        return ""
    if step.state in {State.READY, State.HOLDING} and known >= step.wanted and step.ready_at:
        return ""
    facts_ = {"target": target.name, "known": in_words(target, known), "wanted": in_words(target, step.wanted)}
    return _("%(target)s has %(known)s of %(wanted)s: %(why)s") % {**facts_, "why": reason(step=step)}


def reason(*, step: Step) -> str:
    """Say why a target is not there, and what to do."""
    target = step.target
    if target.stopped_at:
        return _("%(reason)s Look at it, then let it go on, restore it or let it go.") % {
            "reason": target.stopped_reason
        }
    if step.held_back:
        return _("the rest waits for a yes from ops. Approve the plan on the drop's page.")
    if target.fault:
        return target.fault
    if not target.enabled:
        return _("it is not enabled. Enable it on its page.")
    if step.message and step.state == State.PLANNED:
        return step.message
    return _("it is on its way, later than its lead time. Look at its last reading.")


def in_words(target: Target, size: int) -> str:
    """Say a size of a target."""
    try:
        return provider_calls.kind_of(target=target).words(size)
    except ProviderError:
        return str(size)


def verified(*, target: Target, now: datetime) -> int | None:
    """Give what surely serves of a target, as of now; None if it can't be told."""
    oldest = now - timedelta(seconds=STALE * settings.SCALING_TICK_SECONDS)
    if target.ready_size is None or target.seen_at is None or (target.failures and target.seen_at < oldest):
        return None
    return min(target.ready_size, target.asked_size if target.asked_size is not None else target.ready_size)


def hold_to(*, per_second: float, words: Sequence[str]) -> None:
    """Hold the admission of all drops together to what is ready."""
    text = _("Capacity: %(rate)s shoppers a second are ready.") % {"rate": f"{per_second:.0f}"}
    shoppers = min(MOST, int(per_second * admission.AHEAD_SECONDS))
    reason = " ".join([text, *words[:1]])[:200]
    admission.set_ceiling(drop=None, kind=Ceiling.Kind.READY_CAPACITY, shoppers=shoppers, reason=reason)
