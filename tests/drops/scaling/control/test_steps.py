"""The moves of a step, and what ops may do: each guarded, each in the journal."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drops.lifecycle import Phase
from drops.scaling.control import pausing, provider_calls, steps, target_actions, tick
from drops.scaling.models import Step
from shop.core.models import Alert, AuditEntry
from tests.drops.scaling.cloud import Cloud, make_step, make_target

pytestmark = pytest.mark.django_db
State = Step.State


@pytest.mark.parametrize(
    ("state", "phase", "seconds", "to"),
    [
        ("planned", Phase.ANNOUNCED, (60, 30), None),
        ("planned", Phase.LOBBY, (-60, -90), None),
        ("planned", Phase.CANCELLED, (60, 30), "abandoned"),
        ("requested", Phase.ANNOUNCED, (60, 30), None),
        ("requested", Phase.ANNOUNCED, (60, 0), "degraded"),
        ("converging", Phase.ANNOUNCED, (60, 0), "degraded"),
        ("converging", Phase.CLOSED, (60, 30), "releasing"),
        ("ready", Phase.ANNOUNCED, (60, 0), None),
        ("ready", Phase.LOBBY, (0, -30), "holding"),
        ("degraded", Phase.LOBBY, (0, -30), "holding"),
        ("holding", Phase.LIVE, (-60, -90), None),
        ("holding", Phase.PAUSED, (-60, -90), None),
        ("holding", Phase.SOLD_OUT, (-60, -90), "releasing"),
        ("releasing", Phase.SOLD_OUT, (-60, -90), None),
        ("restored", Phase.CLOSED, (-60, -90), None),
        ("abandoned", Phase.CLOSED, (-60, -90), None),
    ],
)
def test_next_state_follows_the_drop_and_the_clock(
    cloud: Cloud, state: str, phase: Any, seconds: tuple[int, int], to: str | None
) -> None:
    now, (lobby, needed) = timezone.now(), seconds
    step = make_step(target=make_target(cloud))
    step.state, step.needed_at = state, now + timedelta(seconds=needed)
    step.drop.lobby_opens_at = now + timedelta(seconds=lobby)

    assert steps.next_state(step=step, phase=phase, now=now) == to


def test_move_does_nothing_to_a_step_that_moved_since_it_was_read(cloud: Cloud) -> None:
    step = make_step(target=make_target(cloud))
    again = Step.objects.get()
    assert steps.move(step=step, to=State.ABANDONED) is True

    assert steps.move(step=again, to=State.REQUESTED) is False
    assert Step.objects.get().state == "abandoned"


def test_restore_now_abandons_what_was_only_planned(cloud: Cloud) -> None:
    ops = User.objects.create_user("ops")
    target = make_target(cloud)
    step = make_step(target=target)

    target_actions.restore_now(target=target, actor=ops)

    step.refresh_from_db()
    assert (step.state, step.message) == ("abandoned", "Ops restored its target.")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.about, entry.action) == (ops, f"target:{target.name}", "restored")


def test_actions_are_refused_where_there_is_nothing_to_do(cloud: Cloud) -> None:
    target = make_target(cloud)

    with pytest.raises(target_actions.TargetActionRefused, match="there is nothing to restore"):
        target_actions.restore_now(target=target, actor=None)
    with pytest.raises(target_actions.TargetActionRefused, match="isn't stopped"):
        target_actions.resume(target=target, actor=None)
    with pytest.raises(target_actions.TargetActionRefused, match="isn't stopped"):
        target_actions.abandon(target=target, actor=None)
    assert AuditEntry.objects.count() == 0


def test_resume_retries_at_once_what_was_refused(cloud: Cloud) -> None:
    target = make_target(cloud)
    make_step(target=target)
    cloud.quota = 4
    tick.run_once(actor="test")
    cloud.quota = 9
    tick.run_once(actor="test")
    assert len(cloud.effects) == 0  # it waits

    target_actions.resume(target=target, actor=None)
    tick.run_once(actor="test")

    assert len(cloud.effects) == 1
    assert not Alert.objects.open().exists()


def test_pause_and_resume_twice_are_audited_once_each(cloud: Cloud) -> None:
    for _ in range(2):
        pausing.pause(actor=None, reason="why not")
    for _ in range(2):
        pausing.resume(actor=None)

    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == ["paused", "resumed"]


def test_test_reads_a_target_and_keeps_what_came_of_it(cloud: Cloud) -> None:
    target = make_target(cloud, size=3)
    call = provider_calls.test(target=target, actor="anna")
    assert call.after is not None
    assert (call.act, call.who, call.fault, call.after["size"]) == ("test", "anna", "", 3)

    cloud.fleets.clear()
    assert provider_calls.test(target=target, actor="anna").fault == "There is no such fleet."
    target.kind = "no such"
    assert provider_calls.test(target=target, actor="anna").fault.startswith("There is no provider “no such”.")
    target.refresh_from_db()
    assert (target.seen, cloud.asked) == (None, [])
