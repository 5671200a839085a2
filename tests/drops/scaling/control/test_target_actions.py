"""Ops' actions on targets: each is guarded and audited."""

import pytest
from django.contrib.auth.models import User

from drops.scaling.control import target_actions, tick
from shop.core.models import Alert, AuditEntry
from tests.drops.scaling.cloud import Cloud, make_step, make_target
from tests.drops.scaling.ticks import state, ticks

pytestmark = pytest.mark.django_db


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


def test_restore_now_brings_a_drifted_target_back(cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    step = make_step(target=target, desired_size=6)
    ticks(cloud, 2)
    cloud.fleets[target.name].wanted = 4
    tick.run_once(actor="test")

    target_actions.restore_now(target=target, actor=None)
    ticks(cloud, 3)

    assert (state(step), cloud.fleets[target.name].wanted) == ("restored", 2)
    assert Alert.objects.open().count() == 0
    assert AuditEntry.objects.get().action == "restored"


def test_resume_continues_from_what_somebody_else_set(cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    step = make_step(target=target, desired_size=6)
    ticks(cloud, 2)
    cloud.fleets[target.name].wanted = 4
    tick.run_once(actor="test")

    step.refresh_from_db()
    assert "somebody else" in step.message
    target_actions.resume(target=target, actor=None)
    ticks(cloud, 3)

    step.refresh_from_db()
    assert (step.state, step.message, cloud.fleets[target.name].wanted) == ("ready", "", 6)


def test_abandon_leaves_what_somebody_else_set(cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    step = make_step(target=target, desired_size=6)
    ticks(cloud, 2)
    cloud.fleets[target.name].wanted = 4
    tick.run_once(actor="test")

    target_actions.abandon(target=target, actor=None)
    ticks(cloud, 3)

    target.refresh_from_db()
    assert (state(step), cloud.fleets[target.name].wanted, target.baseline) == ("restored", 4, None)
