"""The plan of a drop follows its inputs for as long as the drop runs, not only until its lobby opens."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import Settings

from drops import drop_actions, holds
from drops.models import Drop, Unit
from drops.scaling import tasks
from drops.scaling.control import scale_plans, tick
from drops.scaling.models import Demand, ScalePlan, Share, Step, Target
from drops.scaling.planning import history
from tests.drops.scaling.accounting.test_measure import make_ended_drop
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import Cloud, make_target
from tests.factories import make_drop, make_hold

pytestmark = pytest.mark.django_db
Capture = Callable[..., Any]
CAPACITY_PHASES = ["announced", "lobby", "opening", "live"]


@pytest.fixture(autouse=True)
def slow_baseline(settings: Settings) -> None:
    """A baseline that admits fewer shoppers than these drops have units."""
    settings.READY_PER_SECOND = 1


def web_target(cloud: Cloud) -> Target:
    target = make_target(cloud, name="web", size=2, headroom_percent=0, lead_seconds=600)
    Share.objects.create(target=target, group="web", per_second=10)
    return target


def planned_drop(phase: str, *, quantity: int = 40, expected: int = 3000) -> Drop:
    drop = make_drop(phase=phase, quantity=quantity)
    scale_plans.set_expected(drop=drop, expected=expected, actor=None)
    return drop


def lose_hold(drop: Drop) -> None:
    """Withhold the units of a sold hold, as after a refused capture."""
    hold = make_hold(drop=drop, state="paying")
    holds.allocate(hold=hold)
    holds.withhold(hold=hold, reason="capture refused")


class TestWithheldUnits:
    @pytest.mark.parametrize("phase", ["live", "paused", "sold out"])
    def test_are_planned_without_at_once(self, cloud: Cloud, transactional_db: None, phase: str) -> None:
        web_target(cloud)
        drop = planned_drop("live", quantity=2)
        hold = make_hold(drop=drop, state="paying")
        holds.allocate(hold=hold)
        if phase == "paused":
            drop_actions.pause(drop=drop, actor=None, reason="")
        elif phase == "sold out":
            make_hold(drop=drop, index=1, state="allocated")
        ScalePlan.objects.update(planned_at=None)

        holds.withhold(hold=hold, reason="capture refused")

        assert ScalePlan.objects.filter(planned_at=None).count() == 0

    def test_never_hold_up_or_undo_the_record_of_money(
        self, django_capture_on_commit_callbacks: Capture
    ) -> None:
        def fail(**_: object) -> None:
            raise IntegrityError

        drop = planned_drop("live", quantity=2)
        holds.units_withheld.connect(fail)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                lose_hold(drop)
        finally:
            holds.units_withheld.disconnect(fail)

        assert Unit.objects.filter(withheld_at__isnull=False).count() == 1

    @pytest.mark.parametrize("phase", CAPACITY_PHASES)
    def test_are_found_by_the_next_tick_if_that_was_missed(self, cloud: Cloud, phase: str) -> None:
        web_target(cloud)
        drop = planned_drop(phase)
        tick.run_once(actor="test")
        before = ScalePlan.objects.get().planned_at
        assert before is not None

        # By hand, in a shell.
        unit = Unit.objects.filter(edition__drop=drop).order_by("number")[0]
        Unit.objects.filter(pk=unit.pk).update(
            withheld_at=before + timedelta(microseconds=1), withheld_reason="damaged"
        )
        tick.run_once(actor="test")
        after = ScalePlan.objects.get().planned_at
        tick.run_once(actor="test")

        assert after is not None
        assert after > before
        assert ScalePlan.objects.get().planned_at == after  # once


class TestLearnedWeights:
    @pytest.mark.parametrize("phase", CAPACITY_PHASES)
    @pytest.mark.parametrize("run", [tasks.measure, lambda: call_command("scale", "tick")])
    def test_are_planned_with_at_once(self, cloud: Cloud, phase: str, run: Callable[[], object]) -> None:
        web_target(cloud)
        make_ended_drop()
        drop = planned_drop(phase)
        ScalePlan.objects.update(planned_at=timezone.now() + timedelta(seconds=1))
        before = ScalePlan.objects.get(drop=drop).planned_at

        run()

        assert Demand.objects.filter(group="gate").exists()
        assert ScalePlan.objects.get(drop=drop).planned_at != before

    def test_raise_the_lease_of_a_live_drop(self, cloud: Cloud) -> None:
        target = web_target(cloud)
        drop = planned_drop("live")
        step = Step.objects.get(drop=drop, target=target)
        Step.objects.filter(pk=step.pk).update(state="holding", requested_at=timezone.now())
        other = make_ended_drop()
        Demand.objects.create(drop=other, group="web", shoppers=1000, requests=100_000)
        assert history.read(before=drop).measured

        tasks.measure()

        assert Step.objects.get(pk=step.pk).desired_size > step.desired_size

    @pytest.mark.parametrize("phase", CAPACITY_PHASES)
    def test_are_found_by_the_next_tick_if_that_was_missed(self, cloud: Cloud, phase: str) -> None:
        web_target(cloud)
        drop = planned_drop(phase)
        tick.run_once(actor="test")
        before = ScalePlan.objects.get().planned_at
        Demand.objects.create(drop=make_ended_drop(), group="gate", shoppers=1000)

        tick.run_once(actor="test")

        assert ScalePlan.objects.get(drop=drop).planned_at != before


def test_tick_leaves_the_plan_of_a_live_drop_if_nothing_changed(cloud: Cloud) -> None:
    web_target(cloud)
    planned_drop("live")
    tick.run_once(actor="test")
    pass_time(300)
    before = ScalePlan.objects.get().planned_at

    tick.run_once(actor="test")

    assert ScalePlan.objects.get().planned_at == before


def test_plan_of_a_live_drop_gives_no_advice_about_its_lobby(cloud: Cloud) -> None:
    web_target(cloud)
    drop = planned_drop("live")
    plan: Any = ScalePlan.objects.get(drop=drop).plan

    assert [sentence for sentence in plan["warnings"] if "Open the lobby later" in sentence] == []
