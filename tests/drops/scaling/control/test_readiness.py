"""Go / no-go: admission is limited to what is ready; shortfalls are reported, and the drop still sells."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from drops import admission
from drops.models import Ceiling, Drop
from drops.scaling.control import readiness, scale_plans, tick
from drops.scaling.models import ScalePlan, Share, Step, Target
from drops.waitingroom.gatekeeper import ceilings
from shop.core.models import Alert, Email
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import Cloud, Crash, fix_other_groups, make_target
from tests.drops.scaling.ticks import ticks
from tests.factories import make_drop

pytestmark = pytest.mark.django_db
HOUR = 3600


@pytest.fixture
def prepared(cloud: Cloud, settings: Settings) -> Drop:
    """A drop whose crowd needs more web than there is; its lobby opens in an hour."""
    settings.READY_PER_SECOND = 4
    target = make_target(cloud, name="web", size=2, headroom_percent=0, lead_seconds=600)
    Share.objects.create(target=target, group="web", per_second=10)
    fix_other_groups("web")
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    pass_time(0.8 * HOUR)
    return drop


def verdict(drop: Drop) -> Any:
    return ScalePlan.objects.get(drop=drop)


def ready_ceiling() -> Any:
    return Ceiling.objects.filter(kind=Ceiling.Kind.READY_CAPACITY, drop=None).first()


def test_check_decides_go_and_admits_what_was_planned(
    prepared: Drop, cloud: Cloud, settings: Settings
) -> None:
    ticks(cloud, 3)
    assert verdict(prepared).verdict == ""

    pass_time(150)  # the go / no-go has come
    tick.run_once(actor="test")

    found = verdict(prepared)
    assert (found.verdict, found.verdict_messages) == ("go", [])
    assert found.shoppers_per_second >= int(found.plan["per_second"]) > settings.READY_PER_SECOND
    assert ready_ceiling().shoppers >= found.shoppers_per_second * 10
    shared = ceilings.shared(active=list(admission.ceilings()), busy=0)
    assert [bound.shoppers for bound in shared][1:] == [ready_ceiling().shoppers]


def test_check_decides_no_go_with_target_and_reason(prepared: Drop, cloud: Cloud, settings: Settings) -> None:
    settings.OPS_MAIL = "ops@shop.example"
    cloud.quota = 3
    ticks(cloud, 3)
    pass_time(150)
    tick.run_once(actor="test")

    found = verdict(prepared)
    step = Step.objects.get()
    assert (found.verdict, step.state) == ("no-go", "degraded")
    assert found.verdict_messages[0] == (
        f"web has 2 instances of {step.desired_size} instances: The quota is used up. Ask for more."
    )
    assert ready_ceiling().shoppers == found.shoppers_per_second * 10 == settings.READY_PER_SECOND * 10
    alert = Alert.objects.get(subject=f"drop:{prepared.slug} no-go")
    consequence = f"The drop still sells: {found.shoppers_per_second} shoppers a second can be admitted."
    assert alert.message.splitlines()[-1] == consequence
    assert Email.objects.filter(about=f"alert:{alert.pk}").count() == 1


def test_check_turns_to_go_when_the_target_is_ready_after_all(prepared: Drop, cloud: Cloud) -> None:
    cloud.quota = 3
    ticks(cloud, 3)
    pass_time(150)
    tick.run_once(actor="test")
    low = ready_ceiling().shoppers

    cloud.quota = 100
    pass_time(300)
    ticks(cloud, 3)

    assert verdict(prepared).verdict == "go"
    assert ready_ceiling().shoppers > low
    assert not Alert.objects.open().exists()


def test_check_admits_less_than_the_baseline_only_if_less_is_known_to_serve(
    prepared: Drop, cloud: Cloud, settings: Settings
) -> None:
    ticks(cloud, 3)
    pass_time(HOUR / 2)
    ticks(cloud, 3)
    high = ready_ceiling().shoppers

    cloud.faults["web"] = "error"  # unknown: the last verified figure stays
    tick.run_once(actor="test")
    pass_time(400)
    tick.run_once(actor="test")
    assert ready_ceiling().shoppers == high

    cloud.faults.clear()
    cloud.fleets["web"].serving = 1
    pass_time(400)
    tick.run_once(actor="test")
    assert ready_ceiling().shoppers == settings.READY_PER_SECOND * 10 / 2
    assert verdict(prepared).verdict == "no-go"


def test_tick_lifts_the_ceiling_of_a_drop_that_is_over(prepared: Drop, cloud: Cloud) -> None:
    ticks(cloud, 3)
    pass_time(HOUR / 2)
    ticks(cloud, 3)
    assert ready_ceiling() is not None

    Drop.objects.update(closed_at=timezone.now())
    tick.run_once(actor="test")

    assert ready_ceiling() is None


def test_tick_lifts_the_ceiling_before_the_first_target_scales_down(prepared: Drop, cloud: Cloud) -> None:
    ticks(cloud, 3)
    pass_time(HOUR / 2)
    ticks(cloud, 3)
    Drop.objects.update(closed_at=timezone.now())
    cloud.crash = "before"

    with pytest.raises(Crash):
        tick.run_once(actor="test")

    assert ready_ceiling() is None


def test_verified_size_is_the_last_reading_until_it_is_stale() -> None:
    now = timezone.now()
    target = Target(ready_size=1, desired_size=6, baseline_size=2, observed_at=now, failures=1)

    assert readiness.verified_size(target=target, now=now) == 1
    assert readiness.verified_size(target=target, now=now + timedelta(seconds=46)) is None
    target.failures = 0
    assert readiness.verified_size(target=target, now=now + timedelta(seconds=46)) == 1
    target.ready_size, target.desired_size = 6, 2  # it is asked to fall
    assert readiness.verified_size(target=target, now=now) == 2


def test_check_of_a_plan_with_problems_leaves_the_baseline(prepared: Drop, cloud: Cloud) -> None:
    Target.objects.update(connections=10_000)
    scale_plans.set_expected(drop=prepared, expected=30_000, actor=None)
    pass_time(150)
    tick.run_once(actor="test")

    found = verdict(prepared)
    assert (found.verdict, found.shoppers_per_second, ready_ceiling()) == ("no-go", None, None)
    assert found.verdict_messages == found.plan["problems"]


def test_check_reports_that_a_step_needs_approval(prepared: Drop, cloud: Cloud) -> None:
    Target.objects.update(ops_ceiling=3)
    scale_plans.set_expected(drop=prepared, expected=20_000, actor=None)
    ticks(cloud, 3)
    pass_time(150)
    tick.run_once(actor="test")

    assert (
        verdict(prepared)
        .verdict_messages[0]
        .endswith("the rest needs approval from ops. Approve it on the page of the scale plan.")
    )
