"""Pausing pre-scaling: no target is changed until it is resumed."""

import pytest

from drops.scaling.control import pausing, tick
from shop.core.models import Alert, AuditEntry
from tests.drops.scaling.cloud import Cloud, make_step, make_target
from tests.drops.scaling.ticks import close, state, ticks

pytestmark = pytest.mark.django_db


def test_pause_and_resume_twice_are_audited_once_each(cloud: Cloud) -> None:
    for _ in range(2):
        pausing.pause(actor=None, reason="why not")
    for _ in range(2):
        pausing.resume(actor=None)

    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == ["paused", "resumed"]


def test_tick_applies_nothing_while_it_is_paused(cloud: Cloud) -> None:
    held, new = make_target(cloud), make_target(cloud)
    step = make_step(target=held)
    ticks(cloud, 2)
    pausing.pause(actor=None, reason="the provider is down")
    asked = len(cloud.applied)
    later = make_step(target=new)
    close(step.drop)

    ticks(cloud, 3)
    assert (state(step), state(later), len(cloud.applied)) == ("releasing", "planned", asked)
    assert Alert.objects.open().get().subject == "paused"
    held.refresh_from_db()
    assert held.desired_size == 6

    pausing.resume(actor=None)
    ticks(cloud, 3)
    assert (state(step), state(later), Alert.objects.open().count()) == ("restored", "ready", 0)
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == ["paused", "resumed"]


def test_tick_does_not_repeat_a_call_while_it_is_paused(cloud: Cloud) -> None:
    target = make_target(cloud)
    make_step(target=target)
    cloud.faults[target.name] = "lie"
    tick.run_once(actor="test")
    pausing.pause(actor=None, reason="why not")

    tick.run_once(actor="test")

    assert len(cloud.applied) == 1
