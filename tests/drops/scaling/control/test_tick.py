"""Ticks: targets reach the sizes of a plan's steps, and return exactly to their baselines."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from drops import drop_actions
from drops.models import Drop
from drops.scaling.control import tick
from drops.scaling.models import Call, Heartbeat, ScalePlan, Step, Target
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import Cloud, make_step, make_target
from tests.drops.scaling.ticks import close, state, ticks
from tests.factories import make_drop, make_hold

pytestmark = pytest.mark.django_db
HOUR = 3600


def test_tick_grows_a_fleet_holds_it_and_brings_it_back(cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    step = make_step(target=target, desired_size=6)
    fleet = cloud.fleets[target.name]

    tick.run_once(actor="test")
    target.refresh_from_db()
    assert (state(step), fleet.wanted, target.baseline, target.desired_size) == (
        "converging",
        6,
        {"wanted": 2},
        6,
    )

    cloud.converge(steps=2)
    tick.run_once(actor="test")
    target.refresh_from_db()
    assert (state(step), target.ready_size) == ("converging", 4)

    cloud.converge()
    tick.run_once(actor="test")
    assert state(step) == "ready"

    pass_time(2 * HOUR)  # the lobby is open
    tick.run_once(actor="test")
    assert state(step) == "holding"

    close(step.drop)
    tick.run_once(actor="test")
    assert (state(step), fleet.wanted) == ("releasing", 2)

    cloud.converge()
    tick.run_once(actor="test")
    target.refresh_from_db()
    assert (state(step), target.baseline, target.desired, target.ready_size) == ("restored", None, None, 2)
    assert [(effect.before, effect.after) for effect in cloud.effects] == [(2, 6), (6, 2)]


def test_tick_reads_a_fleet_that_is_only_held_now_and_then(cloud: Cloud, settings: Settings) -> None:
    settings.SCALING_TICK_SECONDS = 1
    step = make_step(target=make_target(cloud))
    ticks(cloud)
    pass_time(2 * HOUR)
    tick.run_once(actor="test")
    assert state(step) == "holding"
    read = Call.objects.filter(operation="read").count

    known = read()
    tick.run_once(actor="test")
    assert read() == known

    pass_time(15)
    tick.run_once(actor="test")
    assert read() == known + 1

    close(step.drop)
    tick.run_once(actor="test")
    assert state(step) == "releasing"


def test_tick_does_nothing_before_its_time(cloud: Cloud) -> None:
    target = make_target(cloud)
    step = make_step(target=target, starts_at=timezone.now() + timedelta(hours=1))

    tick.run_once(actor="test")

    assert (state(step), cloud.applied) == ("planned", [])


def test_tick_does_not_take_an_accepted_call_for_ready(cloud: Cloud) -> None:
    target = make_target(cloud)
    step = make_step(target=target)
    cloud.faults[target.name] = "lie"

    ticks(cloud, 3)

    assert state(step) == "converging"


def test_tick_repeats_a_call_with_its_key_and_makes_a_new_key_for_a_new_size(cloud: Cloud) -> None:
    target = make_target(cloud)
    make_step(target=target, desired_size=6)
    cloud.faults[target.name] = "lie"
    tick.run_once(actor="test")
    tick.run_once(actor="test")
    make_step(target=target, desired_size=8)
    tick.run_once(actor="test")

    sizes, keys = zip(*((size, key) for _name, size, key in cloud.applied), strict=True)
    assert sizes == (6, 6, 8)
    assert (keys[0] == keys[1], keys[1] == keys[2], len(keys[0])) == (True, False, 32)


def test_tick_twice_has_one_effect(cloud: Cloud) -> None:
    target = make_target(cloud)
    make_step(target=target)

    for _ in range(3):
        tick.run_once(actor="test")

    assert len(cloud.effects) == 1


def test_tick_skips_a_target_that_is_locked(cloud: Cloud) -> None:
    target = make_target(cloud)
    make_step(target=target)
    type(target).objects.update(locked_until=timezone.now() + timedelta(seconds=30))

    assert tick.run_once(actor="test") == [f"{target.name}: another tick is working on it."]
    assert cloud.applied == []

    pass_time(31)
    tick.run_once(actor="test")
    assert len(cloud.applied) == 1


def test_tick_applies_the_larger_size_of_overlapping_drops(cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    small, large = make_step(target=target, desired_size=4), make_step(target=target, desired_size=8)
    ticks(cloud, 2)
    assert cloud.fleets[target.name].wanted == 8

    close(large.drop)
    ticks(cloud, 3)
    assert (state(large), state(small), cloud.fleets[target.name].wanted) == ("restored", "ready", 4)

    close(small.drop)
    ticks(cloud, 3)
    assert (state(small), cloud.fleets[target.name].wanted) == ("restored", 2)


def test_tick_scales_nothing_down_while_another_drop_holds(cloud: Cloud) -> None:
    target = make_target(cloud, size=2)
    small, large = make_step(target=target, desired_size=4), make_step(target=target, desired_size=8)
    ticks(cloud, 2)
    pass_time(2 * HOUR)
    tick.run_once(actor="test")

    close(large.drop)
    ticks(cloud, 3)
    assert (state(large), state(small), cloud.fleets[target.name].wanted) == ("releasing", "holding", 8)

    close(small.drop)
    ticks(cloud, 3)
    assert (state(large), state(small), cloud.fleets[target.name].wanted) == ("restored", "restored", 2)


def test_tick_scales_data_stores_first_and_brings_them_back_last(cloud: Cloud) -> None:
    drop = make_drop()
    store, fleet = make_target(cloud, name="store"), make_target(cloud, name="fleet")
    make_step(target=store, drop=drop, tier=0)
    step = make_step(target=fleet, drop=drop, tier=1)

    tick.run_once(actor="test")
    assert [name for name, _size, _key in cloud.applied] == ["store"]
    assert (state(step), step.message) == ("planned", "Waiting for store, which is scaled up first.")

    ticks(cloud)
    close(drop)
    ticks(cloud)
    assert [(effect.name, effect.after) for effect in cloud.effects] == [
        ("store", 6),
        ("fleet", 6),
        ("fleet", 2),
        ("store", 2),
    ]


def test_tick_brings_nothing_back_while_a_sold_out_drop_has_holds(cloud: Cloud) -> None:
    drop = make_drop(phase="live", quantity=1)
    step = make_step(target=make_target(cloud), drop=drop)
    ticks(cloud)
    hold = make_hold(drop=drop, index=1)
    tick.run_once(actor="test")
    assert state(step) == "holding"

    type(hold).objects.filter(pk=hold.pk).update(state="allocated", ended_at=timezone.now())
    ticks(cloud)
    assert state(step) == "restored"


def test_tick_abandons_the_plan_of_a_cancelled_drop(cloud: Cloud) -> None:
    step = make_step(target=make_target(cloud), starts_at=timezone.now() + timedelta(hours=1))
    Drop.objects.update(cancelled_at=timezone.now())

    tick.run_once(actor="test")

    assert (state(step), cloud.applied) == ("abandoned", [])


@pytest.mark.parametrize("so_far", ["requested", "ready", "holding"])
def test_tick_shrinks_the_targets_of_a_cancelled_drop_again(cloud: Cloud, so_far: str) -> None:
    drop = make_drop(phase="live" if so_far == "holding" else "announced")
    step = make_step(target=make_target(cloud), drop=drop)
    tick.run_once(actor="test")
    if so_far != "requested":
        ticks(cloud)
    grown = cloud.applied[-1][1]

    drop_actions.cancel(drop=drop, actor=None)
    ticks(cloud)

    assert (grown, cloud.applied[-1][1]) == (6, 2)
    assert state(step) == "restored"


def test_tick_brings_back_a_target_whose_drop_was_deleted(cloud: Cloud) -> None:
    target = make_target(cloud)
    step = make_step(target=target)
    ticks(cloud, 2)
    Step.objects.filter(pk=step.pk).delete()

    ticks(cloud, 3)

    target.refresh_from_db()
    assert (cloud.fleets[target.name].wanted, target.baseline) == (2, None)


def test_tick_follows_a_provider_that_needs_several_calls(cloud: Cloud) -> None:
    target = make_target(cloud, size=2, provider="staged")
    step = make_step(target=target, desired_size=9)

    ticks(cloud)
    assert (state(step), [effect.after for effect in cloud.effects]) == ("ready", [4, 6, 8, 9])

    close(step.drop)
    ticks(cloud)
    assert (state(step), cloud.fleets[target.name].wanted) == ("restored", 2)


def test_tick_scales_up_to_ops_ceiling_until_they_approve(cloud: Cloud) -> None:
    target = make_target(cloud, ops_ceiling=4)
    step = make_step(target=target, desired_size=9, needs_approval=True)
    ticks(cloud, 3)
    assert (state(step), cloud.fleets[target.name].wanted) == ("converging", 4)

    Step.objects.update(needs_approval=False)
    ticks(cloud, 3)
    assert (state(step), cloud.fleets[target.name].wanted) == ("ready", 9)


def test_tick_brings_a_disabled_target_back_but_scales_no_other_up(cloud: Cloud) -> None:
    one, other = make_target(cloud), make_target(cloud, enabled=False)
    step, waiting = make_step(target=one), make_step(target=other)
    ticks(cloud, 2)
    type(one).objects.update(enabled=False)
    close(step.drop)

    ticks(cloud, 3)

    assert (state(step), state(waiting)) == ("restored", "planned")


def test_dry_run_shows_what_a_tick_would_do_and_writes_nothing(cloud: Cloud) -> None:
    target = make_target(cloud)
    step = make_step(target=target)

    assert tick.run_once(actor="test", dry_run=True) == [f"{target.name}: would apply 6 instances."]

    assert (state(step), cloud.applied, Call.objects.count(), Heartbeat.objects.count()) == (
        "planned",
        [],
        0,
        0,
    )
    target.refresh_from_db()
    assert (target.baseline, target.observed) == (None, None)


def test_tick_records_every_call(cloud: Cloud) -> None:
    target = make_target(cloud)
    make_step(target=target)
    tick.run_once(actor="beat")
    cloud.faults[target.name] = "error"
    tick.run_once(actor="command")

    rows = [
        (call.operation, call.actor, call.before, call.error, call.request_id)
        for call in Call.objects.order_by("id")
    ]
    assert rows == [
        ("read", "beat", None, "", ""),
        ("apply", "beat", {"wanted": 2}, "", "r-1"),
        ("read", "command", None, "It answered 503 and nothing that can be read.", ""),
    ]


def test_tick_reads_every_target_now_and_then_while_a_drop_is_coming_up(cloud: Cloud) -> None:
    target = make_target(cloud, size=5)
    tick.run_once(actor="test")
    assert Target.objects.get().observed is None

    make_step(target=make_target(cloud), starts_at=timezone.now() + timedelta(hours=1))
    ScalePlan.objects.create(drop=Drop.objects.get(), plan={}, planned_at=timezone.now() + timedelta(hours=1))
    tick.run_once(actor="test")

    target.refresh_from_db()
    assert ((target.observed or {})["size"], target.baseline) == (5, None)
