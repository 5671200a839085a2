"""Reconciles one locked target with its desired state: read, decide, commit, apply.

The desired state is committed before the provider is called. So after a crash in between, the change is
recognised as ours and not somebody else's.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from drops.scaling.control import alerts, decision, ordering, provider_calls, steps, target_lock
from drops.scaling.control.decision import Decision, Observation
from drops.scaling.control.target_actions import CLEARED_LEASE, alert_subject
from drops.scaling.models import Step, Target
from drops.scaling.providers import ApplyRefused, ProviderError, Reading
from shop.core.backoff import wait_before_retry

State = Step.State
FIRST_RETRY_TICKS = 1 / 3
LONGEST_RETRY_TICKS = 20
ALERT_FAILURES = 3  # in a row; a refusal alerts at once
MAX_FAILURES = 1000  # counted; the back-off is long since at its longest


def run(*, target: Target, actor: str, now: datetime, paused: bool) -> list[str]:
    """Reconcile a target that we have locked. Return a line for each thing done. Raises LockLost."""
    rows = list(steps.live(target=target))
    try:
        reading = provider_calls.read(target=target, actor=actor, step=largest_lease(rows))
        observed = provider_calls.reading_as_json(reading)
        target_lock.write(target=target, observed=observed, observed_at=now, ready_size=reading.serving)
        observation = observe(
            target=target, reading=reading, rows=rows, now=now, paused=paused, dry_run=False
        )
        decided = decision.decide(observation)
    except ProviderError as fault:
        return record_fault(target=target, rows=rows, fault=fault, now=now)
    if decided.drift:
        return stop(observation)
    if decided.state is None:
        clear_fault(target=target)
        return []
    lines = commit(observation, decided)
    if decided.apply:
        lines += apply(observation, actor=actor)
    else:
        clear_fault(target=target)
    return lines


def preview(*, target: Target, now: datetime, paused: bool) -> list[str]:
    """Return what a tick would do to a target now. It is read; nothing is written."""
    rows = list(steps.live(target=target))
    try:
        reading = provider_calls.provider_of(target=target).read()
        observation = observe(target=target, reading=reading, rows=rows, now=now, paused=paused, dry_run=True)
        decided = decision.decide(observation)
    except ProviderError as fault:
        return [f"{target.name}: {fault}"]
    if decided.drift:
        return [drift_message(observation)]
    if decided.finished:
        return [f"{target.name}: is at its baseline; its lease would end."]
    if not decided.apply:
        return []
    return [f"{target.name}: would apply {observation.provider.format_size(decided.size)}."]


def largest_lease(rows: Sequence[Step]) -> Step | None:
    """Return the step that a call is recorded with."""
    return max(rows, key=lambda step: (step.state in Step.LEASES, step.desired_size), default=None)


def observe(
    *, target: Target, reading: Reading, rows: Sequence[Step], now: datetime, paused: bool, dry_run: bool
) -> Observation:
    """Gather what the decision needs. Unless in a dry run, store what the steps are waiting for."""
    starting = []
    for step in rows:
        if step.state != State.PLANNED or step.starts_at > now:
            continue
        reason = why_frozen(target=target, paused=paused) or ordering.why_not_requested(step=step, now=now)
        if not reason:
            starting.append(step)
        elif not dry_run:
            steps.set_message(step=step, message=reason)
    releasing = [step for step in rows if step.state == State.RELEASING]
    kept_because = ordering.why_not_restored(target=target, releasing=releasing, now=now)
    if kept_because and not dry_run:
        for step in releasing:
            steps.set_message(step=step, message=kept_because)
    return Observation(
        target=target,
        provider=provider_calls.provider_of(target=target),
        reading=reading,
        steps=rows,
        starting=starting,
        kept_because=kept_because,
        paused=paused,
        now=now,
    )


def why_frozen(*, target: Target, paused: bool) -> str:
    """Return why no new size may be applied to a target; empty if one may."""
    if paused:
        return "Pre-scaling is paused."
    if target.stopped_at is not None:
        return target.stopped_reason
    if not target.enabled:
        return "Its target is disabled."
    return ""


def commit(observation: Observation, decided: Decision) -> list[str]:
    """Commit the desired state of the target, and the steps that move with it.

    Raises LockLost, with nothing committed.
    """
    target = observation.target
    lines: list[str] = []
    with transaction.atomic():
        if decided.is_new:
            target_lock.write(target=target, **desired_fields(observation, decided))
        elif decided.ready and target.previous is not None:
            target_lock.write(target=target, previous=None)
        else:
            target_lock.write(target=target)  # only checks that the lock is still ours
        for step in observation.starting:
            lines += move(step, State.REQUESTED)
        if decided.ready:
            lines += mark_ready(observation, size=decided.size)
        if decided.released:
            for step in observation.steps:
                if step.state == State.RELEASING:
                    lines += move(step, State.RESTORED)
        if decided.finished:
            target_lock.write(target=target, **CLEARED_LEASE)
            lines.append(f"{target.name}: is at its baseline again.")
    return lines


def desired_fields(observation: Observation, decided: Decision) -> dict[str, object]:
    """Return a target's fields for a new desired state. The first lease writes the baseline, too."""
    fields: dict[str, object] = {
        "desired": decided.state,
        "desired_size": decided.size,
        "desired_at": observation.now,
        "previous": None,
    }
    if not decided.ready:
        fields["previous"] = decision.previous_states(observation)
    if observation.target.baseline is None:
        fields |= {"baseline": observation.reading.state, "baseline_size": observation.reading.size}
    return fields


def mark_ready(observation: Observation, *, size: int) -> list[str]:
    """Record with its steps that the target was read back as ready at this size."""
    lines: list[str] = []
    for step in observation.steps:
        if step.desired_size > size:
            continue
        if step.state in {State.REQUESTED, State.CONVERGING, State.DEGRADED}:
            lines += move(step, State.READY)
        elif step.state == State.HOLDING and step.ready_at is None:
            # It held before it was ready: the state stays, only the time is recorded.
            late = Step.objects.filter(pk=step.pk, state=State.HOLDING, ready_at=None)
            late.update(ready_at=observation.now, message="")
    return lines


def move(step: Step, to: State) -> list[str]:
    """Move a step on. Return the line that reports it, unless something else moved the step first."""
    line = steps.transition_line(step=step, to=to)
    if not steps.move(step=step, to=to):
        return []
    return [line]


def apply(observation: Observation, *, actor: str) -> list[str]:
    """Ask the provider for the committed state, outside any transaction. Then commit that it accepted.

    Raises LockLost, with nothing asked.
    """
    target = observation.target
    target_lock.renew(target=target)  # reading may have taken most of the minute
    lines = [f"{target.name}: applying {observation.provider.format_size(target.desired_size or 0)}."]
    try:
        step = largest_lease(observation.steps)
        provider_calls.apply(target=target, actor=actor, key=idempotency_key(target), step=step)
    except ProviderError as fault:
        return lines + record_fault(target=target, rows=observation.steps, fault=fault, now=observation.now)
    with transaction.atomic():
        clear_fault(target=target)
        for step in observation.steps:
            if step.state == State.REQUESTED:
                lines += move(step, State.CONVERGING)
    return lines


def idempotency_key(target: Target) -> str:
    """Return the key of a call: the same if it is repeated, a new one for a new state or time."""
    desired_at = ""
    if target.desired_at:
        desired_at = target.desired_at.isoformat()
    identity = json.dumps([target.pk, target.desired, desired_at], sort_keys=True)
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def clear_fault(*, target: Target) -> None:
    """Clear earlier failures, because a call succeeded."""
    if target.failures or target.error:
        target_lock.write(target=target, failures=0, retry_at=None, error="")
        alerts.resolve(subject=f"{alert_subject(target=target)} fault")


def record_fault(*, target: Target, rows: Sequence[Step], fault: ProviderError, now: datetime) -> list[str]:
    """Record a failed call and when to retry. Alert ops of a refusal, if it persists, or during a drop."""
    failures = min(target.failures + 1, MAX_FAILURES)
    message = str(fault)[:300]
    retry_at = now + retry_after(failures=failures)
    target_lock.write(target=target, failures=failures, retry_at=retry_at, error=message)
    for step in rows:
        if step.state in {State.REQUESTED, State.CONVERGING, State.DEGRADED, State.RELEASING}:
            steps.set_message(step=step, message=message)
    is_holding = any(step.state == State.HOLDING for step in rows)
    if isinstance(fault, ApplyRefused) or failures >= ALERT_FAILURES or is_holding:
        counted = max(target.ready_size or 0, target.baseline_size or 0)
        consequence = f"Retrying. Until it answers, its last verified size ({counted}) counts as ready."
        alerts.raise_alert(
            subject=f"{alert_subject(target=target)} fault",
            target=target,
            message=f"{target.name}: {fault} {consequence}",
        )
    return [f"{target.name}: {fault}"]


def retry_after(*, failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row."""
    tick = timedelta(seconds=settings.SCALING_TICK_SECONDS)
    first, longest = tick * FIRST_RETRY_TICKS, tick * LONGEST_RETRY_TICKS
    return wait_before_retry(tries=failures, first=first, longest=longest)


def stop(observation: Observation) -> list[str]:
    """Stop a target that somebody else changed, and alert ops: it isn't touched again until they decide."""
    target, message = observation.target, drift_message(observation)
    with transaction.atomic():
        target_lock.write(target=target, stopped_at=observation.now, stopped_reason=message[:300])
        Step.objects.filter(pk__in=[step.pk for step in observation.steps]).update(message=message[:300])
        alerts.raise_alert(
            subject=f"{alert_subject(target=target)} drift",
            target=target,
            message=f"{message} On its page, resume it, restore it, or leave it as it is.",
        )
    return [message]


def drift_message(observation: Observation) -> str:
    """Return the sentence that says that somebody else changed a target."""
    target, provider = observation.target, observation.provider
    observed = provider.format_size(observation.reading.size)
    desired = provider.format_size(target.desired_size or 0)
    return (
        f"{target.name}: somebody else changed it to {observed} while pre-scaling had applied {desired}. "
        "Pre-scaling leaves it alone."
    )
