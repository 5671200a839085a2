"""Looks after one target in its turn: read, decide, commit, ask."""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from drops.scaling.control import alerts, decision, ordering, provider_calls, steps, target_lock
from drops.scaling.control.decision import Decision, Look
from drops.scaling.control.steps import FORGOTTEN, about_alert
from drops.scaling.models import Step, Target
from drops.scaling.providers import ApplyRefused, ProviderError, Reading
from shop.core.backoff import wait_before_retry

State = Step.State
LONGEST_WAIT = 20  # ticks, between two tries
UNKNOWNS = 3  # failures in a row, after which it alerts; a refusal alerts at once


def reconcile(*, target: Target, who: str, now: datetime, paused: bool) -> list[str]:
    """Look after a target whose turn is ours; what was done, in words. Raises turns.Lost."""
    rows = list(steps.live(target=target))
    try:
        reading = provider_calls.read(target=target, who=who, step=first_of(rows))
        target_lock.write(target=target, seen=provider_calls.seen(reading), seen_at=now, ready_size=reading.serving)
        look = look_at(target=target, reading=reading, rows=rows, now=now, paused=paused, dry_run=False)
        decided = decision.decide(look)
    except ProviderError as fault:
        return fail(target=target, rows=rows, fault=fault, now=now)
    if decided.drift:
        return stop(look)
    if decided.state is None:
        calm(target=target)
        return []
    lines = commit(look, decided)
    return lines + (ask(look, who=who) if decided.ask else calm(target=target))


def would_do(*, target: Target, now: datetime, paused: bool) -> list[str]:
    """Say what a tick would do to a target now: it is read, nothing is written."""
    rows = list(steps.live(target=target))
    try:
        reading = provider_calls.kind_of(target=target).read()
        look = look_at(target=target, reading=reading, rows=rows, now=now, paused=paused, dry_run=True)
        decided = decision.decide(look)
    except ProviderError as fault:
        return [f"{target.name}: {fault}"]
    if decided.drift:
        return [drifted(look)]
    if decided.over:
        return [_("%(target)s: stands at its baseline, would be let go.") % {"target": target.name}]
    if not decided.ask:
        return []
    return [
        _("%(target)s: would be asked for %(size)s.") % {"target": target.name, "size": look.kind.words(decided.size)}
    ]


def first_of(rows: Sequence[Step]) -> Step | None:
    """Give the step that a call is noted with: the one with the largest claim."""
    return max(rows, key=lambda step: (step.state in Step.LEASES, step.wanted), default=None)


def look_at(
    *, target: Target, reading: Reading, rows: Sequence[Step], now: datetime, paused: bool, dry_run: bool
) -> Look:
    """Put together what the decision needs, and write down what steps wait for."""
    starting = []
    quiet = why_quiet(target=target, paused=paused)
    for step in rows:
        if step.state != State.PLANNED or step.starts_at > now:
            continue
        why = quiet or ordering.waits_for(step=step, now=now)
        if not why:
            starting.append(step)
        elif not dry_run:
            steps.say(step=step, message=why)
    releasing = [step for step in rows if step.state == State.RELEASING]
    stays = ordering.stays_for(target=target, releasing=releasing, now=now)
    for step in releasing if not dry_run else ():
        steps.say(step=step, message=stays or step.message)
    return Look(
        target=target,
        kind=provider_calls.kind_of(target=target),
        reading=reading,
        steps=rows,
        starting=starting,
        stays=stays,
        paused=paused,
        now=now,
    )


def why_quiet(*, target: Target, paused: bool) -> str:
    """Say why nothing new is asked of a target; empty: it may be."""
    if paused:
        return _("Pre-scaling is paused.")
    if target.stopped_at is not None:
        return target.stopped_reason
    return "" if target.enabled else _("Its target is switched off.")


def commit(look: Look, decided: Decision) -> list[str]:
    """Commit what is now asked of the target, and the steps that move with it. Raises turns.Lost with nothing kept."""
    target = look.target
    with transaction.atomic():
        if decided.is_new:
            target_lock.write(target=target, **asked_anew(look, decided))
        elif decided.ready and target.before is not None:
            target_lock.write(target=target, before=None)
        else:
            target_lock.write(target=target)
        lines = [line for step in look.starting for line in moved(step, State.REQUESTED)]
        if decided.ready:
            lines += stand(look, size=decided.size)
        if decided.released:
            ended = [step for step in look.steps if step.state == State.RELEASING]
            lines += [line for step in ended for line in moved(step, State.RESTORED)]
        if decided.over:
            target_lock.write(target=target, **FORGOTTEN)
            lines.append(_("%(target)s: stands at its baseline again.") % {"target": target.name})
    return lines


def asked_anew(look: Look, decided: Decision) -> dict[str, object]:
    """Give the fields of a target of which something new is asked; the first lease writes the baseline."""
    first = {"baseline": look.reading.state, "baseline_size": look.reading.size} if look.target.baseline is None else {}
    return first | {
        "asked": decided.state,
        "asked_size": decided.size,
        "asked_at": look.now,
        "before": None if decided.ready else decision.before(look),
    }


def stand(look: Look, *, size: int) -> list[str]:
    """Note with its steps that the target was read back as READY."""
    lines = []
    for step in look.steps:
        if step.wanted > size:
            continue
        if step.state in {State.REQUESTED, State.CONVERGING, State.DEGRADED}:
            lines += moved(step, State.READY)
        elif step.state == State.HOLDING and step.ready_at is None:
            Step.objects.filter(pk=step.pk, state=State.HOLDING, ready_at=None).update(ready_at=look.now, message="")
    return lines


def moved(step: Step, to: State) -> list[str]:
    """Move a step on; the line that says so, if it was there still."""
    line = f"{step.drop.slug}: {step.target.name} {step.state} → {to}"
    return [line] if steps.move(step=step, to=to) else []


def ask(look: Look, *, who: str) -> list[str]:
    """Ask for what was committed, outside of any transaction, and commit that it was accepted."""
    target = look.target
    words = {"target": target.name, "size": look.kind.words(target.asked_size or 0)}
    try:
        provider_calls.ask(target=target, who=who, key=key_of(target), step=first_of(look.steps))
    except ProviderError as fault:
        return [
            _("%(target)s: asked for %(size)s.") % words,
            *fail(target=target, rows=look.steps, fault=fault, now=look.now),
        ]
    with transaction.atomic():
        calm(target=target)
        lines = [line for step in look.steps if step.state == State.REQUESTED for line in moved(step, State.CONVERGING)]
    return [_("%(target)s: asked for %(size)s.") % words, *lines]


def key_of(target: Target) -> str:
    """Make the key of a demand: the same as often as it is repeated, another for another state or another time."""
    asked_at = target.asked_at.isoformat() if target.asked_at else ""
    said = json.dumps([target.pk, target.asked, asked_at], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def calm(*, target: Target) -> list[str]:
    """Forget earlier failures: a call did what it should."""
    if target.failures or target.fault:
        target_lock.write(target=target, failures=0, retry_at=None, fault="")
        alerts.resolve(subject=f"{about_alert(target=target)} fault")
    return []


def fail(*, target: Target, rows: Sequence[Step], fault: ProviderError, now: datetime) -> list[str]:
    """Note a failed call, and when it is tried again; tell ops if it is refused, goes on, or comes in mid-drop."""
    failures = min(target.failures + 1, 1000)
    tick = timedelta(seconds=settings.SCALING_TICK_SECONDS)
    wait = wait_before_retry(tries=failures, first=tick / 3, longest=LONGEST_WAIT * tick)
    target_lock.write(target=target, failures=failures, retry_at=now + wait, fault=str(fault)[:300])
    for step in rows:
        if step.state in {State.REQUESTED, State.CONVERGING, State.DEGRADED, State.RELEASING}:
            steps.say(step=step, message=str(fault)[:300])
    holds = any(step.state == State.HOLDING for step in rows)
    if isinstance(fault, ApplyRefused) or failures >= UNKNOWNS or holds:
        words = _("%(target)s: %(fault)s It is tried again. Until it answers, %(size)s count as ready.") % {
            "target": target.name,
            "fault": fault,
            "size": max(target.ready_size or 0, target.baseline_size or 0),
        }
        alerts.raise_alert(subject=f"{about_alert(target=target)} fault", target=target, message=words)
    return [f"{target.name}: {fault}"]


def stop(look: Look) -> list[str]:
    """Stop a target that somebody else changed, and tell ops; it is not touched again until they say so."""
    target, words = look.target, drifted(look)
    with transaction.atomic():
        target_lock.write(target=target, stopped_at=look.now, stopped_reason=words[:300])
        Step.objects.filter(pk__in=[step.pk for step in look.steps]).update(message=words[:300])
        todo = _("On its page: let it go on, restore it, or leave it as it is.")
        alerts.raise_alert(subject=f"{about_alert(target=target)} drift", target=target, message=f"{words} {todo}")
    return [words]


def drifted(look: Look) -> str:
    """Say that somebody else changed a target."""
    return _(
        "%(target)s: somebody else changed it to %(live)s while pre-scaling had asked for %(asked)s. It is left alone."
    ) % {
        "target": look.target.name,
        "live": look.kind.words(look.reading.size),
        "asked": look.kind.words(look.target.asked_size or 0),
    }
