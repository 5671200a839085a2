"""What each drop claimed, and what of it is on its cost."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F

from drops.models import Drop
from drops.scaling.accounting import costs, usage
from drops.scaling.control import heartbeat, scale_plans
from drops.scaling.models import ScalePlan, Share, Step, Target, Usage
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import Cloud, make_target
from tests.drops.scaling.ticks import ticks
from tests.factories import make_drop

BEGIN = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
HOUR = 3600


def claim(drop: int, size: int, since: int, until: int) -> Usage:
    """A claim, its moments in seconds."""
    begin, end = (BEGIN + timedelta(seconds=moment) for moment in (since, until))
    return Usage(drop_id=UUID(int=drop), size=size, since=begin, until=end)


# --- pure ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "shares"),
    [
        ([claim(1, 6, 0, 100)], (400, 0)),
        ([claim(1, 6, 0, 100), claim(1, 10, 100, 110)], (480, 0)),  # raised
        ([claim(1, 6, 0, 100), claim(1, 6, 500, 600)], (800, 0)),  # moved
        ([claim(1, 6, 0, 100), claim(2, 6, 0, 100)], (200, 200)),
        ([claim(1, 6, 0, 100), claim(2, 10, 0, 100)], (200, 600)),  # what only the larger one claims is its own
        ([claim(1, 6, 0, 100), claim(2, 10, 50, 150)], (300, 700)),
        ([claim(1, 1, 0, 100), claim(2, 10, 0, 100)], (0, 800)),  # below the baseline
        ([], (0, 0)),
    ],
)
def test_share_is_in_equal_parts_of_each_instance_above_the_baseline(claims: Any, shares: tuple[int, int]) -> None:
    assert tuple(usage.share(claims=claims, drop_id=UUID(int=drop), baseline=2) for drop in (1, 2)) == shares


def test_shares_of_all_drops_add_up_to_what_stood() -> None:
    claims = [claim(1, 9, 0, 70), claim(2, 5, 10, 90), claim(3, 7, 20, 40), claim(1, 4, 70, 95)]
    stood = sum(max(0, max(usage.sizes_at(claims, BEGIN + timedelta(seconds=at)).values()) - 2) for at in range(95))

    assert sum(usage.share(claims=claims, drop_id=UUID(int=drop), baseline=2) for drop in (1, 2, 3)) == pytest.approx(
        stood
    )


# --- of steps ------------------------------------------------------------------------------------------------------


@pytest.fixture
def gate(db: None, cloud: Cloud) -> Target:
    """A fleet that stands at two and costs a dollar an hour."""
    target = make_target(cloud, name="gate", size=2, headroom_percent=0, lead_seconds=600, price_per_hour=1)
    Share.objects.create(target=target, group="gate", per_second=30)
    return target


def make_ready(cloud: Cloud, *, expected: Any = 20_000) -> tuple[Drop, Step]:
    """A drop in an hour, and its step, which is ready for it."""
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=expected, actor=None)
    pass_time(0.8 * HOUR)
    ticks(cloud, 3)
    return drop, Step.objects.get(drop=drop)


def hours(drop: Drop) -> list[float]:
    """The instance-hours on its cost, rounded."""
    return [
        round(item.instance_seconds / HOUR, 2)
        for item in costs.measure(drop=drop, seen=None, now=heartbeat.database_now()).items
    ]


def test_bill_counts_what_stood_before_the_drop_moved(gate: Target, cloud: Cloud) -> None:
    drop, step = make_ready(cloud)
    pass_time(0.1 * HOUR)
    day = timedelta(hours=24)
    Drop.objects.update(opens_at=F("opens_at") + day, lobby_opens_at=F("lobby_opens_at") + day)
    ticks(cloud, 3)
    assert Step.objects.get().state == "planned"
    pass_time(HOUR)

    assert hours(drop) == [round((step.desired_size - 2) * 0.1, 2)]
    (item,) = costs.measure(drop=drop, seen=None, now=heartbeat.database_now()).items
    assert (item.above, item.until < heartbeat.database_now().isoformat()) == (step.desired_size - 2, True)
    with pytest.raises(scale_plans.PlanRefused, match="their cost stays on record"):
        scale_plans.remove(drop=drop, actor=None)


def test_bill_counts_each_size_for_as_long_as_it_was_claimed(gate: Target, cloud: Cloud) -> None:
    drop, first = make_ready(cloud)
    pass_time(0.1 * HOUR)
    scale_plans.set_expected(drop=drop, expected=40_000, actor=None)
    raised = Step.objects.get()
    assert raised.desired_size > first.desired_size
    pass_time(0.05 * HOUR)

    assert hours(drop) == [round((first.desired_size - 2) * 0.1 + (raised.desired_size - 2) * 0.05, 2)]


def test_bill_counts_what_waits_for_a_yes_only_from_then_on(gate: Target, cloud: Cloud) -> None:
    Target.objects.update(ops_ceiling=3)
    drop, step = make_ready(cloud)
    pass_time(0.1 * HOUR)
    scale_plans.approve(drop=drop, actor=None)
    pass_time(0.05 * HOUR)

    assert step.desired_size > 3
    assert hours(drop) == [round((3 - 2) * 0.1 + (step.desired_size - 2) * 0.05, 2)]


def test_bills_of_overlapping_drops_share_what_both_claim(gate: Target, cloud: Cloud) -> None:
    one, step = make_ready(cloud)
    other = make_drop(quantity=500)
    Drop.objects.filter(pk=other.pk).update(lobby_opens_at=Drop.objects.get(pk=one.pk).lobby_opens_at)
    scale_plans.set_expected(drop=other, expected=20_000, actor=None)
    ticks(cloud, 3)
    assert set(Step.objects.values_list("state", "desired_size")) == {("ready", step.desired_size)}
    pass_time(0.1 * HOUR)

    half = round((step.desired_size - 2) * 0.1 / 2, 2)
    assert (hours(one), hours(other)) == ([half], [half])


def test_planning_again_without_a_change_keeps_no_claim(gate: Target, cloud: Cloud) -> None:
    drop, _step = make_ready(cloud)
    for expected in (20_000, 10_000):
        scale_plans.set_expected(drop=drop, expected=expected, actor=None)
    ticks(cloud, 3)

    assert Usage.objects.count() == 0


def test_nothing_is_kept_of_a_step_that_requested_nothing(gate: Target) -> None:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    step = Step.objects.get()
    usage.keep(step=step, now=heartbeat.database_now())

    assert (Usage.objects.count(), ScalePlan.objects.count(), hours(drop)) == (0, 1, [])
