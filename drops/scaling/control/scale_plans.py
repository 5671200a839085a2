"""Preparing a drop: how many are expected, the plan that follows, its steps, and ops' yes beyond their ceilings.

expected typed ─▶ plan ─┬─ problems: no step, ops are told
                        └─ steps of an announced drop: made, moved with it, raised; one under way never falls
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now
from django.utils.translation import gettext as _

from drops import lifecycle
from drops.models import Drop
from drops.scaling.accounting import usage
from drops.scaling.control import alerts, heartbeat, steps
from drops.scaling.control.steps import LIVE
from drops.scaling.models import ScalePlan, Step, Usage
from drops.scaling.planning import checks, read_inputs
from drops.scaling.planning.planner import Plan, PlanLine, plan
from shop.core import audit_log

State = Step.State
PlanRefused = steps.StepRefused
PLAN_EVERY = 4  # ticks, while a drop is still to come
ANEW = {
    "state": State.PLANNED,
    "requested_at": None,
    "ready_at": None,
    "holding_at": None,
    "released_at": None,
    "ended_at": None,
    "message": "",
}


def expect(*, drop: Drop, expected: int, who: AbstractBaseUser | None) -> ScalePlan:
    """Write how many shoppers are expected, and plan for them. Raises Refused, with nothing changed."""
    if not 0 < expected <= checks.MOST_EXPECTED:
        raise PlanRefused(
            _("Expected shoppers: %(expected)s can't be. Write a number from 1 to %(most)s, or nothing for no plan.")
            % {"expected": expected, "most": checks.MOST_EXPECTED}
        )
    with transaction.atomic():
        row = Drop.objects.with_state().select_for_update(of=("self",)).get(pk=drop.pk)
        if lifecycle.phase(drop=row, now=heartbeat.database_now()) in lifecycle.ENDED_PHASES:
            raise PlanRefused(_("Expected shoppers: %(drop)s is over.") % {"drop": row})
        before = ScalePlan.objects.filter(drop=row).values_list("expected", flat=True).first()
        scale_plan, _new = ScalePlan.objects.update_or_create(drop=row, defaults={"expected": expected})
        if before != expected:
            audit_log.write(
                who=who,
                about=f"drop:{row.slug}",
                action="expect",
                before={"expected": before},
                after={"expected": expected},
            )
        plan_again(scale_plan=scale_plan, now=heartbeat.database_now())
    scale_plan.refresh_from_db()
    return scale_plan


def withdraw(*, drop: Drop, who: AbstractBaseUser | None) -> None:
    """Expect nothing of a drop any more: its plan and its steps go. Raises Refused once something was requested."""
    with transaction.atomic():
        scale_plan = ScalePlan.objects.select_for_update().filter(drop=drop).first()
        if scale_plan is None:
            return
        if Step.objects.filter(drop=drop).exclude(state=State.PLANNED).exists():
            raise PlanRefused(
                _("Expected shoppers: targets are prepared already. Ops bring them back with “restore now”.")
            )
        if Usage.objects.filter(drop=drop).exists():
            raise PlanRefused(
                _("Expected shoppers: targets stood for this drop already, and its bill stays. Write a number.")
            )
        Step.objects.filter(drop=drop, state=State.PLANNED).delete()
        scale_plan.delete()
        audit_log.write(who=who, about=f"drop:{drop.slug}", action="expect", before={"expected": scale_plan.expected})


def approve(*, drop: Drop, who: AbstractBaseUser | None) -> ScalePlan:
    """Say yes, as ops, to every step of the drop that waits for one, at the size that it has now.

    Raises Refused if none waits.
    """
    with transaction.atomic():
        scale_plan = ScalePlan.objects.select_for_update().get(drop=drop)
        rows = Step.objects.filter(drop=drop, held_back=True, state__in=LIVE)
        waits = list(rows.select_related("drop__scale_plan", "target"))
        if not waits:
            raise PlanRefused(_("Nothing of %(drop)s waits for a yes.") % {"drop": drop})
        for step in waits:
            usage.keep(step=step, now=heartbeat.database_now())
        waiting = {step.target_id: step.wanted for step in waits}
        agreed = scale_plan.approved | {str(target): size for target, size in waiting.items()}
        ScalePlan.objects.filter(drop=drop).update(
            approved=agreed, approved_by=who.pk if who else None, approved_at=Now()
        )
        for target, size in waiting.items():
            Step.objects.filter(drop=drop, target=target, held_back=True, wanted__lte=size).update(held_back=False)
        audit_log.write(
            who=who,
            about=f"drop:{drop.slug}",
            action="approved",
            before={"approved": scale_plan.approved},
            after={"approved": agreed, "price": str((scale_plan.plan or {}).get("price", ""))},
        )
        tell_of_waiting(drop=drop)
    scale_plan.refresh_from_db()
    return scale_plan


def plan_due(*, now: datetime) -> list[str]:
    """Plan again for the drops that come or run, where what a plan follows from may have changed; which, in words."""
    old = now - timedelta(seconds=PLAN_EVERY * settings.SCALING_TICK_SECONDS)
    typed = Q(planned_at=None) | Q(typed_at__gt=F("planned_at"))
    coming = (
        Q(drop__lobby_opens_at__gt=now, planned_at__lt=old)
        | Q(drop__steps__needed_at__gt=F("drop__lobby_opens_at") - go_before())
        | Q(drop__steps__needed_at__lt=F("drop__lobby_opens_at") - go_before())
    )
    rows = ScalePlan.objects.filter(drop__in=Drop.objects.announced().not_ended()).filter(typed | coming).distinct()
    lines = []
    for row in rows.select_related("drop"):
        with transaction.atomic():
            made = plan_again(scale_plan=row, now=now)
        lines.append(f"{row.drop.slug}: planned, {len(made.lines)} targets, {len(made.problems)} problems")
    return lines


def go_before() -> timedelta:
    """How long before the lobby the go / no-go falls."""
    return timedelta(seconds=settings.SCALING_GO_SECONDS)


def plan_again(*, scale_plan: ScalePlan, now: datetime) -> Plan:
    """Plan a drop, keep the plan, and make its steps follow, in the caller's transaction."""
    scale_plan = ScalePlan.objects.select_for_update(of=("self",)).select_related("drop").get(pk=scale_plan.pk)
    drop = scale_plan.drop
    made = plan(read_inputs.read(drop=drop, expected=scale_plan.expected, now=now))
    ScalePlan.objects.filter(pk=scale_plan.pk).update(plan=made.as_json(), planned_at=Now())
    about = f"drop:{drop.slug} plan"
    if made.problems:
        # What is under way stays; nothing that was only planned comes of it.
        Step.objects.filter(drop=drop, state=State.PLANNED).delete()
        if drop.announced_at:  # of a draft the page says what is missing
            words = _("%(drop)s can't be prepared as planned: %(problems)s")
            alerts.raise_alert(
                subject=about, drop=drop, message=words % {"drop": drop, "problems": " ".join(made.problems)}
            )
        return made
    alerts.resolve(subject=about)
    if drop.announced_at and not drop.cancelled_at:
        follow(drop=drop, lines=made.lines, now=now)
        tell_of_waiting(drop=drop)
    return made


def tell_of_waiting(*, drop: Drop) -> None:
    """Tell ops of what waits for their yes, or that nothing does any more."""
    about = f"drop:{drop.slug} yes"
    waiting = Step.objects.filter(drop=drop, held_back=True, state__in=LIVE).select_related("target")
    sizes = ", ".join(f"{step.target.name}: {step.wanted}" for step in waiting)
    if not sizes:
        alerts.resolve(subject=about)
        return
    words = _("%(drop)s wants more than your ceilings allow (%(sizes)s). It waits for your yes on the drop's page.")
    alerts.raise_alert(subject=about, drop=drop, message=words % {"drop": drop, "sizes": sizes})


def follow(*, drop: Drop, lines: Sequence[PlanLine], now: datetime) -> None:
    """Make the drop's steps follow the lines of its plan, each by guarded UPDATEs, in the caller's transaction."""
    rows = Step.objects.filter(drop=drop).select_related("drop__scale_plan", "target")
    known = {step.target_id: step for step in rows}
    for line in lines:
        step = known.get(line.target_id)
        if step is None:
            Step.objects.create(drop=drop, target_id=line.target_id, **fields(line))
        else:
            follow_one(step=step, line=line, now=now)
    Step.objects.filter(drop=drop, state=State.PLANNED).exclude(target__in=[line.target_id for line in lines]).delete()


def fields(line: PlanLine) -> dict[str, object]:
    """Give what a step takes over from a line."""
    times = {"starts_at": line.starts_at, "needed_at": line.needed_at}
    return {"wanted": line.wanted, "tier": line.tier, "held_back": line.held_back, **times}


def follow_one(*, step: Step, line: PlanLine, now: datetime) -> None:
    """Make one step follow its line: a planned one wholly, one under way only upwards, one that is over if it moved."""
    row = Step.objects.filter(pk=step.pk, state=step.state)
    moved = step.needed_at != line.needed_at
    if step.state == State.PLANNED:
        row.update(**fields(line))
    elif step.state in Step.OVER:
        # What ops restored stays so; a drop that moved is prepared anew.
        if moved and line.needed_at > now:
            usage.keep(step=step, now=now)
            row.update(**ANEW, **fields(line))
    elif step.state in Step.LEASES:
        if moved and line.starts_at > now:
            row.update(state=State.RELEASING, released_at=Now(), message=_("The drop moved."))
            return
        if moved:
            row.update(starts_at=line.starts_at, needed_at=line.needed_at)
        if step.wanted < line.wanted:
            raise_step(step=step, line=line, now=now)


def raise_step(*, step: Step, line: PlanLine, now: datetime) -> None:
    """Raise what a step under way wants; it has to be read back as READY again."""
    usage.keep(step=step, now=now)
    row = Step.objects.filter(pk=step.pk, wanted__lt=line.wanted)
    risen = (State.CONVERGING, State.READY, State.DEGRADED)
    row.filter(state__in=risen).update(state=State.REQUESTED, ready_at=None)
    row.filter(state__in=Step.LEASES).update(wanted=Greatest("wanted", line.wanted), held_back=line.held_back)
