"""Ops' actions on a target: restore its baseline, resume it after drift or faults, or abandon it.

Each action is one transaction and writes to the audit log.
"""

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from drops.scaling.control import alerts, scale_plans, steps
from drops.scaling.models import Step, Target
from shop.core import audit_log

State = Step.State
CLEARED_LEASE = {
    "baseline": None,
    "baseline_size": None,
    "desired": None,
    "desired_size": None,
    "desired_at": None,
    "previous": None,
}
CLEARED_STOP = {"stopped_at": None, "stopped_reason": "", "failures": 0, "retry_at": None, "error": ""}


class TargetActionRefused(Exception):
    """The action makes no sense now, and nothing was changed; the text says what to do instead."""


def restore_now(*, target: Target, actor: AbstractBaseUser | None) -> None:
    """End every lease on a target, so that the next tick brings it back to its baseline, even after drift.

    Raises TargetActionRefused if there is nothing to restore.
    """
    with transaction.atomic():
        row = Target.objects.select_for_update(no_key=True).get(pk=target.pk)
        rows = Step.objects.filter(target=row)
        if row.baseline is None and not rows.filter(state__in=steps.LIVE_STATES).exists():
            raise TargetActionRefused(f"{row.name} is at its baseline: there is nothing to restore.")
        message = "Ops restored its target."
        rows.filter(state=State.PLANNED).update(state=State.ABANDONED, ended_at=Now(), message=message)
        rows.filter(state__in=Step.LEASES).update(state=State.RELEASING, released_at=Now(), message=message)
        _clear_stop(target=row)
        audit_log.write(
            actor=actor,
            about=audit_subject(target=row),
            action="restored",
            before={"desired": row.desired_size},
            after={"baseline": row.baseline_size},
        )
        scale_plans.replan_all()


def resume(*, target: Target, actor: AbstractBaseUser | None) -> None:
    """Resume a target that drift stopped or faults delay, from the size that it has now.

    Raises TargetActionRefused if neither is the case.
    """
    with transaction.atomic():
        row = Target.objects.select_for_update(no_key=True).get(pk=target.pk)
        if row.stopped_at is None and not row.failures:
            raise TargetActionRefused(f"{row.name} isn't stopped: there is nothing to resume.")
        _clear_stop(target=row)
        before = {"stopped": row.stopped_reason, "error": row.error}
        audit_log.write(actor=actor, about=audit_subject(target=row), action="resumed", before=before)
        scale_plans.replan_all()


def abandon(*, target: Target, actor: AbstractBaseUser | None) -> None:
    """Leave a stopped target as somebody else set it: its baseline is cleared, and every step on it ends.

    Raises TargetActionRefused if it isn't stopped.
    """
    with transaction.atomic():
        row = Target.objects.select_for_update(no_key=True).get(pk=target.pk)
        if row.stopped_at is None:
            raise TargetActionRefused(f"{row.name} isn't stopped. Use “Restore now” to bring it back.")
        message = "Ops left its target as somebody else had set it."
        not_applied = steps.live(target=row).filter(state__in=[State.PLANNED, State.REQUESTED])
        not_applied.update(state=State.ABANDONED, ended_at=Now(), message=message)
        steps.live(target=row).update(
            state=State.RESTORED,
            released_at=Coalesce(F("released_at"), Now()),
            ended_at=Now(),
            message=message,
        )
        # Clearing the lock too makes a tick that works on the target now write nothing.
        Target.objects.filter(pk=row.pk).update(**CLEARED_LEASE, **CLEARED_STOP, locked_until=None)
        alerts.resolve(subject=f"{alert_subject(target=row)} drift")
        before = {"baseline": row.baseline_size, "stopped": row.stopped_reason}
        audit_log.write(actor=actor, about=audit_subject(target=row), action="abandoned", before=before)
        scale_plans.replan_all()


def _clear_stop(*, target: Target) -> None:
    """Clear what stops or delays a target. Its observed state is ours until the next one is ready."""
    previous = list(target.previous or [])
    observed = (target.observed or {}).get("state")
    if observed is not None and target.desired is not None:
        previous.append(observed)
    reasons = [reason for reason in (target.stopped_reason, target.error) if reason]
    steps.live(target=target).filter(message__in=reasons).update(message="")
    Target.objects.filter(pk=target.pk).update(**CLEARED_STOP, previous=previous or None, locked_until=None)
    for subject in ("drift", "fault"):
        alerts.resolve(subject=f"{alert_subject(target=target)} {subject}")


def audit_subject(*, target: Target) -> str:
    """Return a target's name in the audit log."""
    return f"target:{target.name}"[:80]


def alert_subject(*, target: Target) -> str:
    """Return the beginning of the subject of a target's alerts."""
    return f"target:{target.pk}"
