"""Scale plans: planned at once, moved with the drop, raised but never lowered under way."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone

from drops import drop_actions
from drops.models import Drop
from drops.scaling.control import scale_plans, target_actions, tick
from drops.scaling.models import ScalePlan, Share, Step, Target
from shop.core.models import Alert, AuditEntry
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import Cloud, make_target
from tests.drops.scaling.ticks import ticks
from tests.factories import make_drop

pytestmark = pytest.mark.django_db
HOUR = 3600


@pytest.fixture
def gate(cloud: Cloud) -> Target:
    """A fleet that carries the gate's group, of which a crowd needs more than its two."""
    target = make_target(cloud, name="gate", size=2, headroom_percent=0, lead_seconds=600)
    Share.objects.create(target=target, group="gate", per_second=30)
    return target


def test_set_expected_plans_and_makes_steps(gate: Target) -> None:
    who = User.objects.create_user("merch")
    drop = make_drop(quantity=500)
    assert drop.lobby_opens_at is not None

    scale_plan: Any = scale_plans.set_expected(drop=drop, expected=20_000, actor=who)

    step = Step.objects.get()
    assert (scale_plan.expected, scale_plan.plan["problems"], scale_plan.planned_at is not None) == (
        20_000,
        [],
        True,
    )
    assert (step.state, step.target, step.desired_size > 2) == ("planned", gate, True)
    assert step.needed_at == drop.lobby_opens_at - timedelta(seconds=600)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.about) == ("expected shoppers", who, f"drop:{drop.slug}")
    assert (entry.before, entry.after) == ({"expected": None}, {"expected": 20_000})


def test_set_expected_the_same_again_is_not_audited(gate: Target) -> None:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)

    assert (Step.objects.count(), AuditEntry.objects.count()) == (1, 1)


@pytest.mark.parametrize("expected", [0, -1, 10_000_001])
def test_set_expected_refuses_impossible_numbers(gate: Target, expected: int) -> None:
    with pytest.raises(scale_plans.PlanRefused, match=r"^Expected shoppers: "):
        scale_plans.set_expected(drop=make_drop(), expected=expected, actor=None)

    assert (ScalePlan.objects.count(), Step.objects.count()) == (0, 0)


def test_set_expected_refuses_a_drop_that_is_over(gate: Target) -> None:
    with pytest.raises(scale_plans.PlanRefused, match="is over"):
        scale_plans.set_expected(drop=make_drop(phase="closed"), expected=100, actor=None)


def test_set_expected_makes_no_steps_of_a_draft_before_it_is_announced(gate: Target) -> None:
    drop = make_drop(phase="draft")
    scale_plan: Any = scale_plans.set_expected(drop=drop, expected=20_000, actor=None)

    assert (len(scale_plan.plan["lines"]), Step.objects.count()) == (1, 0)


def test_set_expected_makes_no_step_of_a_plan_with_problems(gate: Target) -> None:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    Share.objects.update(per_second="0.01")
    Target.objects.update(connections=10_000)

    scale_plan: Any = scale_plans.set_expected(drop=drop, expected=30_000, actor=None)

    assert (len(scale_plan.plan["problems"]) > 0, Step.objects.count()) == (True, 0)
    assert Alert.objects.open().get().subject == f"drop:{drop.slug} plan"


def test_set_expected_raises_no_alert_about_a_draft(gate: Target) -> None:
    drop = make_drop(phase="draft")
    Drop.objects.filter(pk=drop.pk).update(opens_at=None, lobby_opens_at=None)
    drop.refresh_from_db()

    scale_plan: Any = scale_plans.set_expected(drop=drop, expected=30_000, actor=None)

    assert (len(scale_plan.plan["problems"]) > 0, Alert.objects.count()) == (True, 0)


def test_tick_plans_again_what_was_announced_later(gate: Target, cloud: Cloud) -> None:
    drop = make_drop(phase="draft")
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    announced = make_drop()
    Drop.objects.filter(pk=drop.pk).update(
        announced_at=timezone.now(), nonce=announced.nonce, commitment=announced.commitment
    )
    drop_actions.make_units(drop=drop)
    pass_time(300)

    tick.run_once(actor="test")

    assert Step.objects.get().drop == drop


def test_tick_moves_a_planned_step_with_its_drop(gate: Target) -> None:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    before = Step.objects.get()
    move(drop, hours=5)

    tick.run_once(actor="test")

    assert Step.objects.get().starts_at == before.starts_at + timedelta(hours=5)


def test_tick_releases_the_targets_of_a_postponed_drop_and_plans_again(gate: Target, cloud: Cloud) -> None:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    pass_time(0.8 * HOUR)
    ticks(cloud, 3)
    step = Step.objects.get()
    assert step.state == "ready"

    move(drop, hours=24)
    ticks(cloud, 3)
    step.refresh_from_db()
    assert (cloud.fleets["gate"].wanted, gate_of(step).baseline) == (2, None)
    assert (step.state, step.requested_at, step.ended_at) == ("planned", None, None)


def test_tick_does_not_plan_again_what_ops_restored(gate: Target, cloud: Cloud) -> None:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    target_actions.restore_now(target=gate, actor=None)
    pass_time(300)

    tick.run_once(actor="test")
    scale_plans.set_expected(drop=drop, expected=30_000, actor=None)

    assert Step.objects.get().state == "abandoned"


def test_set_expected_more_raises_what_is_ready_and_less_lowers_nothing(gate: Target, cloud: Cloud) -> None:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    pass_time(0.8 * HOUR)
    ticks(cloud, 3)
    first = Step.objects.get()

    scale_plans.set_expected(drop=drop, expected=40_000, actor=None)
    raised = Step.objects.get()
    assert (raised.desired_size > first.desired_size, raised.state, raised.ready_at) == (
        True,
        "requested",
        None,
    )
    ticks(cloud, 3)
    assert (Step.objects.get().state, cloud.fleets["gate"].wanted) == ("ready", raised.desired_size)

    scale_plans.set_expected(drop=drop, expected=10_000, actor=None)
    ticks(cloud, 3)
    assert (Step.objects.get().desired_size, cloud.fleets["gate"].wanted) == (
        raised.desired_size,
        raised.desired_size,
    )


def test_approve_allows_sizes_beyond_ops_ceiling(gate: Target, cloud: Cloud) -> None:
    Target.objects.update(ops_ceiling=3)
    ops = User.objects.create_user("ops")
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    assert Step.objects.get().needs_approval is True
    assert Alert.objects.open().get().subject == f"drop:{drop.slug} approval"

    scale_plan: Any = scale_plans.approve(drop=drop, actor=ops)
    step = Step.objects.get()
    assert (step.needs_approval, scale_plan.approved_sizes) == (False, {str(gate.pk): step.desired_size})
    assert (scale_plan.approved_by, AuditEntry.objects.get(action="approved").actor) == (ops, ops)

    pass_time(100)
    tick.run_once(actor="test")
    assert (Step.objects.get().needs_approval, Alert.objects.open().count()) == (False, 0)


def test_approve_is_for_this_size_and_no_larger_one(gate: Target) -> None:
    Target.objects.update(ops_ceiling=3)
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    scale_plans.approve(drop=drop, actor=None)

    scale_plans.set_expected(drop=drop, expected=40_000, actor=None)

    assert Step.objects.get().needs_approval is True


def test_set_expected_beyond_the_approval_keeps_what_was_approved(gate: Target, cloud: Cloud) -> None:
    Target.objects.update(ops_ceiling=3)
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    scale_plans.approve(drop=drop, actor=None)
    pass_time(0.8 * HOUR)
    ticks(cloud, 3)
    agreed = cloud.fleets["gate"].wanted
    assert agreed == Step.objects.get().desired_size > 3

    scale_plans.set_expected(drop=drop, expected=40_000, actor=None)
    ticks(cloud, 3)

    assert (cloud.fleets["gate"].wanted, Step.objects.get().desired_size > agreed) == (agreed, True)


def test_approve_refuses_where_nothing_needs_approval(gate: Target) -> None:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)

    with pytest.raises(scale_plans.PlanRefused, match="needs approval"):
        scale_plans.approve(drop=drop, actor=None)


def test_remove_deletes_the_plan_until_a_step_was_requested(gate: Target, cloud: Cloud) -> None:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    scale_plans.remove(drop=drop, actor=None)
    assert (ScalePlan.objects.count(), Step.objects.count()) == (0, 0)

    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    pass_time(0.8 * HOUR)
    ticks(cloud, 3)
    with pytest.raises(scale_plans.PlanRefused, match="Restore now"):
        scale_plans.remove(drop=drop, actor=None)


def gate_of(step: Step) -> Target:
    return Target.objects.get(pk=step.target_id)


def move(drop: Drop, *, hours: int) -> None:
    later = timedelta(hours=hours)
    Drop.objects.filter(pk=drop.pk).update(
        lobby_opens_at=F("lobby_opens_at") + later, opens_at=F("opens_at") + later
    )
