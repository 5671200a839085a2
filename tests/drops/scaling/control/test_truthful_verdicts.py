"""A go is said only if every group that must grow is ready, or ops say that it stands as it is.

When something that a plan depends on changes, the drop is planned again at once.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from drops import drop_actions
from drops.models import Ceiling, Drop
from drops.scaling.control import scale_plans, target_actions, tick
from drops.scaling.models import FixedGroup, Group, ScalePlan, Share, Step, Target
from shop.core.models import Alert, AuditEntry
from shop.models import Picture
from tests.admin_clients import LogIn, log_in
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import Cloud, fix_other_groups, make_target
from tests.drops.scaling.ticks import ticks
from tests.factories import make_drop, make_product

__all__ = ["log_in"]

pytestmark = pytest.mark.django_db
LINE = ("edge", "gate", "line redis")
GO_IS_DUE_SECONDS = 0.8 * 3600 + 150


@pytest.fixture(autouse=True)
def slow_baseline(settings: Settings) -> None:
    """A baseline that admits fewer shoppers than a drop of 500 units."""
    settings.READY_PER_SECOND = 4


def expect(*, expected: int = 3000) -> Drop:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=expected, actor=None)
    return drop


def web_target(cloud: Cloud, **fields: Any) -> Target:
    target = make_target(cloud, name="web", size=2, headroom_percent=0, lead_seconds=600, **fields)
    Share.objects.create(target=target, group="web", per_second=10)
    return target


def tick_at_go() -> Any:
    pass_time(GO_IS_DUE_SECONDS)
    tick.run_once(actor="test")
    return ScalePlan.objects.get()


def ready_ceiling() -> Any:
    return Ceiling.objects.filter(kind=Ceiling.Kind.READY_CAPACITY, drop=None).first()


class TestNoGo:
    def test_without_a_target_names_every_group_that_must_grow(self) -> None:
        expect()

        found = tick_at_go()

        assert (found.verdict, found.shoppers_per_second, ready_ceiling()) == ("no-go", None, None)
        assert [message.partition(":")[0] for message in found.verdict_messages] == list(Group.values)
        assert Alert.objects.open().get().message.endswith("The drop still sells, at the baseline's pace.")

    def test_without_a_target_names_only_the_line_if_the_baseline_admits_everybody(
        self, settings: Settings
    ) -> None:
        settings.READY_PER_SECOND = 1000
        expect()

        found = tick_at_go()

        assert found.verdict == "no-go"
        assert tuple(message.partition(":")[0] for message in found.verdict_messages) == LINE

    @pytest.mark.parametrize("missing", Group.values)
    def test_if_one_group_has_neither_a_target_nor_ops_word(self, missing: str) -> None:
        fix_other_groups(missing)
        expect()

        found = tick_at_go()

        assert found.verdict == "no-go"
        assert [message.partition(":")[0] for message in found.verdict_messages] == [missing]

    def test_if_targets_are_there_and_no_step_was_ever_made(self, cloud: Cloud) -> None:
        web_target(cloud)
        fix_other_groups("web")
        expect()
        Step.objects.all().delete()
        ScalePlan.objects.update(planned_at=timezone.now())

        found = tick_at_go()

        assert (found.verdict, ready_ceiling()) == ("no-go", None)
        assert found.verdict_messages[0].startswith("web has 2 of ")
        assert "no step was made for it" in found.verdict_messages[0]

    def test_if_the_only_target_is_disabled(self, cloud: Cloud) -> None:
        web_target(cloud, enabled=False)
        fix_other_groups("web")
        expect()

        assert tick_at_go().verdict_messages[0].startswith("web: no target carries it")

    def test_if_targets_carry_a_part_of_the_group(self, cloud: Cloud) -> None:
        web_target(cloud)
        Share.objects.update(percent=60)
        fix_other_groups("web")
        expect()
        pass_time(0.8 * 3600)
        ticks(cloud, 3)
        pass_time(150)
        tick.run_once(actor="test")

        found = ScalePlan.objects.get()
        assert found.verdict == "no-go"
        assert found.verdict_messages[0].startswith("web: its targets carry only 60 % of it")
        assert found.shoppers_per_second == 4

    def test_if_a_fixed_group_can_take_less_than_the_crowd_needs(self) -> None:
        fix_other_groups("gate")
        FixedGroup.objects.create(group="gate", per_second="0.5", reason="one small machine")
        expect()

        found = tick_at_go()

        assert found.verdict == "no-go"
        assert found.verdict_messages[0].startswith(
            "gate: it stands as it is (one small machine) and can take 0.5/s, but "
        )

    def test_if_ops_restored_the_target_of_this_drop(self, cloud: Cloud) -> None:
        target = web_target(cloud)
        fix_other_groups("web")
        expect()
        target_actions.restore_now(target=target, actor=None)

        assert tick_at_go().verdict == "no-go"

    def test_admits_less_if_less_of_the_baseline_serves(self, cloud: Cloud, settings: Settings) -> None:
        web_target(cloud)
        cloud.fleets["web"].serving = 1
        fix_other_groups("web")
        expect()
        Step.objects.all().delete()
        ScalePlan.objects.update(planned_at=timezone.now())
        Target.objects.update(ready_size=1, observed_at=timezone.now())

        found = tick_at_go()

        assert (found.verdict, found.shoppers_per_second) == ("no-go", settings.READY_PER_SECOND / 2)
        assert ready_ceiling().shoppers == settings.READY_PER_SECOND * 10 / 2


class TestGo:
    @pytest.mark.parametrize("per_second", [None, "1000000"])
    def test_if_ops_say_of_every_group_that_it_stands(self, per_second: str | None) -> None:
        fix_other_groups()
        FixedGroup.objects.update(per_second=per_second)
        expect()

        found = tick_at_go()

        assert (found.verdict, found.verdict_messages) == ("go", [])

    def test_turns_to_no_go_when_ops_take_their_word_back(self, log_in: LogIn) -> None:
        fix_other_groups()
        expect()
        assert tick_at_go().verdict == "go"

        row = FixedGroup.objects.get(group="gate")
        log_in("ops").post(reverse("admin:scaling_fixedgroup_delete", args=[row.pk]), {"post": "yes"})
        tick.run_once(actor="test")

        assert ScalePlan.objects.get().verdict == "no-go"
        assert AuditEntry.objects.get(action="deleted").about == "group:gate"

    def test_of_a_restored_target_if_ops_say_that_its_group_stands(self, cloud: Cloud) -> None:
        target = web_target(cloud)
        fix_other_groups()
        expect()
        target_actions.restore_now(target=target, actor=None)

        assert tick_at_go().verdict == "go"


def announce() -> None:
    draft = make_drop(phase="draft", quantity=500, product=make_product(pictures=1))
    Picture.objects.update(role=Picture.Role.HERO)
    scale_plans.set_expected(drop=draft, expected=3000, actor=None)
    ScalePlan.objects.filter(drop=draft).update(planned_at=None)
    assert not Step.objects.filter(drop=draft).exists()
    drop_actions.announce(drop=draft, actor=None)
    assert Step.objects.get(drop=draft).state == "planned"
    ScalePlan.objects.exclude(drop=draft).update(planned_at=timezone.now())


def restore() -> None:
    target_actions.restore_now(target=Target.objects.get(), actor=None)


def resume() -> None:
    Target.objects.update(stopped_at=timezone.now(), stopped_reason="Somebody else changed it.")
    target_actions.resume(target=Target.objects.get(), actor=None)


def leave() -> None:
    Target.objects.update(stopped_at=timezone.now(), stopped_reason="Somebody else changed it.")
    target_actions.abandon(target=Target.objects.get(), actor=None)


def approve() -> None:
    Step.objects.update(needs_approval=True)
    scale_plans.approve(drop=Drop.objects.get(scale_plan__isnull=False), actor=None)


def expect_more() -> None:
    scale_plans.set_expected(drop=Drop.objects.get(scale_plan__isnull=False), expected=4000, actor=None)


@pytest.mark.parametrize("change", [announce, restore, resume, leave, approve, expect_more])
def test_change_plans_again_at_once(cloud: Cloud, change: Callable[[], None]) -> None:
    web_target(cloud)
    expect()
    ScalePlan.objects.update(planned_at=None)

    change()

    assert not ScalePlan.objects.filter(planned_at=None).exists()


@pytest.mark.parametrize("fields", [{"ceiling": 3}, {"headroom_percent": 50}, {"enabled": ""}])
def test_edit_of_a_target_plans_again_at_once(cloud: Cloud, log_in: LogIn, fields: dict[str, Any]) -> None:
    target = web_target(cloud)
    expect()
    ScalePlan.objects.update(planned_at=None)
    form = {
        "name": "web", "enabled": "on", "floor": 1, "ceiling": 100, "ops_ceiling": "", "headroom_percent": 0,
        "zones": 1, "lead_seconds": 600, "price_per_hour": "", "connections": 0, "connection_limit": 0,
        "shares-TOTAL_FORMS": 1, "shares-INITIAL_FORMS": 1, "shares-0-id": target.shares.get().pk,
        "shares-0-target": target.pk, "shares-0-group": "web", "shares-0-percent": 100,
        "shares-0-per_second": "10",
    }  # fmt: skip

    page = reverse("admin:scaling_target_change", args=[target.pk])
    answer = log_in("ops").post(page, form | fields)

    assert answer.status_code == 302
    assert not ScalePlan.objects.filter(planned_at=None).exists()
    if "enabled" in fields:
        assert not Step.objects.exists()


def test_fixed_group_is_ops_word_and_is_planned_with_at_once(log_in: LogIn) -> None:
    expect()
    before: Any = ScalePlan.objects.get().plan
    ScalePlan.objects.update(planned_at=None)
    form = {"group": "gate", "per_second": "", "reason": "behind a CDN"}

    assert log_in("merchandisers").post(reverse("admin:scaling_fixedgroup_add"), form).status_code == 403
    assert log_in("ops").post(reverse("admin:scaling_fixedgroup_add"), form).status_code == 302

    plan: Any = ScalePlan.objects.get(planned_at__isnull=False).plan
    assert (any("gate:" in text for text in before["warnings"]), FixedGroup.objects.count()) == (True, 1)
    assert not any("gate:" in text for text in plan["warnings"])


@pytest.mark.parametrize("per_second", [0, -1])
def test_fixed_group_takes_more_than_nothing(per_second: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        FixedGroup.objects.create(group="gate", per_second=per_second, reason="none")
