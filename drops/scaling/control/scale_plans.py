"""The scale plan of a drop: the expected shoppers, the plan that follows, its steps, and ops' approval.

expected shoppers ─▶ plan ─┬─ problems: no steps, and ops are alerted
                           └─ steps of an announced drop: created, moved with it, raised, never lowered
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Greatest, Now

from drops import lifecycle
from drops.models import Drop, Unit
from drops.scaling.accounting import measure, usage
from drops.scaling.control import alerts, heartbeat
from drops.scaling.control.steps import LIVE_STATES
from drops.scaling.models import Demand, Group, ScalePlan, Step, Usage
from drops.scaling.planning import checks, planner, read_inputs
from drops.scaling.planning.planner import Plan, PlanLine
from shop.core import audit_log

State = Step.State
REPLAN_TICKS = 4  # while a drop's lobby isn't open yet
PLANNED_AGAIN: dict[str, object] = {
    "state": State.PLANNED,
    "requested_at": None,
    "ready_at": None,
    "holding_at": None,
    "released_at": None,
    "ended_at": None,
    "message": "",
}


class PlanRefused(Exception):
    """The change of a plan was refused, and nothing was changed; the text says what to do instead."""


def set_expected(*, drop: Drop, expected: int, actor: AbstractBaseUser | None) -> ScalePlan:
    """Store how many shoppers are expected, and plan for them. Raises PlanRefused, with nothing changed."""
    if not 0 < expected <= checks.MAX_EXPECTED_SHOPPERS:
        raise PlanRefused(
            f"Expected shoppers: {expected} isn't possible. Enter a number from 1 to"
            f" {checks.MAX_EXPECTED_SHOPPERS}, or leave it empty for no plan."
        )
    with transaction.atomic():
        row = Drop.objects.with_state().select_for_update(of=("self",)).get(pk=drop.pk)
        if lifecycle.phase(drop=row, now=heartbeat.database_now()) in lifecycle.ENDED_PHASES:
            raise PlanRefused(f"Expected shoppers: {row} is over.")
        before = row.expected_shoppers
        Drop.objects.filter(pk=row.pk).update(expected_shoppers=expected)
        scale_plan, _created = ScalePlan.objects.update_or_create(drop=row)  # marks it as changed
        if before != expected:
            _audit_expected(drop=row, actor=actor, before=before, after=expected)
        replan(scale_plan=scale_plan, now=heartbeat.database_now())
    return ScalePlan.objects.select_related("drop").get(pk=scale_plan.pk)


def remove(*, drop: Drop, actor: AbstractBaseUser | None) -> None:
    """Delete a drop's scale plan and its steps, if there are any.

    Raises PlanRefused once a step was requested.
    """
    with transaction.atomic():
        locked = ScalePlan.objects.select_for_update(of=("self",)).select_related("drop")
        scale_plan = locked.filter(drop=drop).first()
        if scale_plan is None:
            return
        if Step.objects.filter(drop=drop).exclude(state=State.PLANNED).exists():
            raise PlanRefused(
                "Expected shoppers: targets are being scaled already. Ops can bring them back with “Restore now”."
            )
        if Usage.objects.filter(drop=drop).exists():
            raise PlanRefused(
                "Expected shoppers: targets were scaled for this drop already, "
                "and their cost stays on record. Enter a number."
            )
        Step.objects.filter(drop=drop, state=State.PLANNED).delete()
        before = scale_plan.expected
        scale_plan.delete()
        Drop.objects.filter(pk=drop.pk).update(expected_shoppers=None)
        _audit_expected(drop=drop, actor=actor, before=before, after=None)


def _audit_expected(
    *, drop: Drop, actor: AbstractBaseUser | None, before: int | None, after: int | None
) -> None:
    audit_log.write(
        actor=actor,
        about=f"drop:{drop.slug}",
        action="expected shoppers",
        before={"expected": before},
        after={"expected": after},
    )


def approve(*, drop: Drop, actor: AbstractBaseUser | None) -> ScalePlan:
    """Approve, for ops, every step of the drop that needs approval, at its present size.

    Raises PlanRefused if none does.
    """
    with transaction.atomic():
        scale_plan = ScalePlan.objects.select_for_update().get(drop=drop)
        rows = list(steps_needing_approval(drop=drop).select_related("drop__scale_plan", "target"))
        if not rows:
            raise PlanRefused(f"Nothing of {drop} needs approval.")
        for step in rows:
            # From now on the lease is larger: record what it was until here.
            usage.record(step=step, now=heartbeat.database_now())
        approved = scale_plan.approved_sizes | {str(step.target_id): step.desired_size for step in rows}
        ScalePlan.objects.filter(drop=drop).update(
            approved_sizes=approved, approved_by=actor.pk if actor else None, approved_at=Now()
        )
        for step in rows:
            same_size = Step.objects.filter(
                pk=step.pk, needs_approval=True, desired_size__lte=step.desired_size
            )
            same_size.update(needs_approval=False)
        audit_log.write(
            actor=actor,
            about=f"drop:{drop.slug}",
            action="approved",
            before={"approved": scale_plan.approved_sizes},
            after={"approved": approved, "price": str((scale_plan.plan or {}).get("price", ""))},
        )
        alert_needed_approval(drop=drop)
        replan_drop(drop=drop)
    scale_plan.refresh_from_db()
    return scale_plan


def steps_needing_approval(*, drop: Drop) -> QuerySet[Step]:
    """Live steps of a drop that go beyond ops' ceilings."""
    return Step.objects.filter(drop=drop, needs_approval=True, state__in=LIVE_STATES)


def plan_due(*, now: datetime) -> list[str]:
    """Plan again for upcoming and running drops whose inputs may have changed. Return a line for each."""
    old = now - timedelta(seconds=REPLAN_TICKS * settings.SCALING_TICK_SECONDS)
    go_at = F("drop__lobby_opens_at") - go_before_lobby()
    is_changed = Q(planned_at=None) | Q(changed_at__gt=F("planned_at"))
    is_old = Q(drop__lobby_opens_at__gt=now, planned_at__lt=old)
    is_stopped = Q(drop__steps__target__stopped_at__gt=F("planned_at"))
    units = Unit.objects.filter(edition__drop=OuterRef("drop"))
    is_withheld = Exists(units.filter(withheld_at__gt=OuterRef("planned_at")))
    # The gate's demand is written only once a drop is over, together with all others.
    is_learned = Exists(Demand.objects.filter(group=Group.GATE, measured_at__gt=OuterRef("planned_at")))
    is_postponed = Q(drop__steps__needed_at__gt=go_at) | Q(drop__steps__needed_at__lt=go_at)
    current = ScalePlan.objects.filter(drop__in=Drop.objects.announced().not_ended())
    lines = []
    for row in (
        current.filter(is_changed | is_old | is_stopped | is_postponed | is_withheld | is_learned)
        .distinct()
        .select_related("drop")
    ):
        with transaction.atomic():
            plan = replan(scale_plan=row, now=now)
        lines.append(f"{row.drop.slug}: planned, {len(plan.lines)} targets, {len(plan.problems)} problems")
    return lines


def learn_due(*, now: datetime) -> list[str]:
    """Measure what is due, and plan again with what drops that are over showed. Return a line for each."""
    lines = measure.measure_due(now=now)
    if lines:
        with transaction.atomic():
            replan_all()
    return lines


def replan_all() -> None:
    """Plan every drop again that hasn't ended, in the caller's transaction: targets or weights changed."""
    now = heartbeat.database_now()
    ended = Drop.objects.ended()
    for row in ScalePlan.objects.exclude(drop__in=ended).order_by("drop").select_related("drop"):
        replan(scale_plan=row, now=now)


def replan_drop(*, drop: Drop, **_: object) -> None:
    """Plan one drop again, in the caller's transaction, if it has a plan: something of the drop changed."""
    row = ScalePlan.objects.filter(drop=drop).first()
    if row is not None:
        replan(scale_plan=row, now=heartbeat.database_now())


def replan_after_commit(*, drop: Drop, **_: object) -> None:
    """Plan one drop again, in a transaction of its own: the change that it follows is committed."""
    with transaction.atomic():
        replan_drop(drop=drop)


def go_before_lobby() -> timedelta:
    """Return how long before the lobby the go / no-go is decided."""
    return timedelta(seconds=settings.SCALING_GO_SECONDS)


def replan(*, scale_plan: ScalePlan, now: datetime) -> Plan:
    """Plan a drop, store the plan, and make its steps follow, in the caller's transaction."""
    locked = ScalePlan.objects.select_for_update(of=("self",)).select_related("drop")
    scale_plan = locked.get(pk=scale_plan.pk)
    drop = scale_plan.drop
    plan = planner.make_plan(read_inputs.read(drop=drop, expected=scale_plan.expected, now=now))
    ScalePlan.objects.filter(pk=scale_plan.pk).update(plan=plan.as_json(), planned_at=Now())
    alert_subject = f"drop:{drop.slug} plan"
    if plan.problems:
        # What is under way stays; steps that were only planned go.
        Step.objects.filter(drop=drop, state=State.PLANNED).delete()
        if drop.announced_at:  # of a draft, its own page lists the problems
            message = f"The scale plan of {drop} has problems: {' '.join(plan.problems)}"
            alerts.raise_alert(subject=alert_subject, drop=drop, message=message)
        return plan
    alerts.resolve(subject=alert_subject)
    if drop.announced_at and not drop.cancelled_at:
        sync_steps(drop=drop, lines=plan.lines, now=now)
        alert_needed_approval(drop=drop)
    return plan


def alert_needed_approval(*, drop: Drop) -> None:
    """Alert ops of steps that need their approval, or end that alert."""
    alert_subject = f"drop:{drop.slug} approval"
    rows = steps_needing_approval(drop=drop).select_related("target")
    sizes = ", ".join(f"{step.target.name}: {step.desired_size}" for step in rows)
    if not sizes:
        alerts.resolve(subject=alert_subject)
        return
    message = f"{drop} needs more than your ceilings allow ({sizes}). Approve it on its scale plan's page."
    alerts.raise_alert(subject=alert_subject, drop=drop, message=message)


def sync_steps(*, drop: Drop, lines: Sequence[PlanLine], now: datetime) -> None:
    """Make the drop's steps follow its plan, each by guarded UPDATEs, in the caller's transaction."""
    rows = Step.objects.filter(drop=drop).select_related("drop__scale_plan", "target")
    steps_by_target = {step.target_id: step for step in rows}
    for line in lines:
        step = steps_by_target.get(line.target_id)
        if step is None:
            Step.objects.create(drop=drop, target_id=line.target_id, **step_fields(line))
        else:
            sync_step(step=step, line=line, now=now)
    planned_targets = [line.target_id for line in lines]
    Step.objects.filter(drop=drop, state=State.PLANNED).exclude(target__in=planned_targets).delete()


def step_fields(line: PlanLine) -> dict[str, object]:
    """Return the fields of a step that follow from a line of the plan."""
    return {
        "desired_size": line.desired_size,
        "tier": line.tier,
        "needs_approval": line.needs_approval,
        "starts_at": line.starts_at,
        "needed_at": line.needed_at,
    }


def sync_step(*, step: Step, line: PlanLine, now: datetime) -> None:
    """Make one step follow its line of the plan.

    A planned step follows in everything, a lease only upwards; a step that is over, only if the drop moved.
    """
    row = Step.objects.filter(pk=step.pk, state=step.state)
    is_moved = step.needed_at != line.needed_at
    if step.state == State.PLANNED:
        row.update(**step_fields(line))
    elif step.state in Step.OVER:
        # What ops restored stays restored, unless the drop was postponed: then it is planned again.
        if is_moved and line.needed_at > now:
            usage.record(step=step, now=now)
            row.update(**PLANNED_AGAIN, **step_fields(line))
    elif step.state in Step.LEASES:
        if is_moved and line.starts_at > now:
            row.update(state=State.RELEASING, released_at=Now(), message="The drop was postponed.")
            return
        if is_moved:
            row.update(starts_at=line.starts_at, needed_at=line.needed_at)
        if step.desired_size < line.desired_size:
            raise_step(step=step, line=line, now=now)


def raise_step(*, step: Step, line: PlanLine, now: datetime) -> None:
    """Raise the size of a lease; its target has to be read back as ready again."""
    usage.record(step=step, now=now)
    row = Step.objects.filter(pk=step.pk, desired_size__lt=line.desired_size)
    before_lobby = (State.CONVERGING, State.READY, State.DEGRADED)
    row.filter(state__in=before_lobby).update(state=State.REQUESTED, ready_at=None)
    row.filter(state__in=Step.LEASES).update(
        desired_size=Greatest("desired_size", line.desired_size), needs_approval=line.needs_approval
    )
