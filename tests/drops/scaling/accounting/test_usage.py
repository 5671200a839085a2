"""What drops used of targets, and how it is charged to them."""

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


def interval(drop: int, size: int, since: int, until: int) -> Usage:
    """Return a usage interval, with its moments in seconds."""
    begin, end = (BEGIN + timedelta(seconds=moment) for moment in (since, until))
    return Usage(drop_id=UUID(int=drop), size=size, since=begin, until=end)


# --- pure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usages", "charged"),
    [
        ([interval(1, 6, 0, 100)], (400, 0)),
        ([interval(1, 6, 0, 100), interval(1, 10, 100, 110)], (480, 0)),  # raised
        ([interval(1, 6, 0, 100), interval(1, 6, 500, 600)], (800, 0)),  # moved
        ([interval(1, 6, 0, 100), interval(2, 6, 0, 100)], (200, 200)),
        (
            [interval(1, 6, 0, 100), interval(2, 10, 0, 100)],
            (200, 600),
        ),  # what only the larger one needs is charged to it alone
        ([interval(1, 6, 0, 100), interval(2, 10, 50, 150)], (300, 700)),
        ([interval(1, 1, 0, 100), interval(2, 10, 0, 100)], (0, 800)),  # below the baseline
        ([], (0, 0)),
    ],
)
def test_instance_seconds_are_split_equally_between_drops(usages: Any, charged: tuple[int, int]) -> None:
    assert (
        tuple(usage.instance_seconds(usages=usages, drop_id=UUID(int=drop), baseline=2) for drop in (1, 2))
        == charged
    )


def test_instance_seconds_of_all_drops_add_up_to_what_ran() -> None:
    usages = [interval(1, 9, 0, 70), interval(2, 5, 10, 90), interval(3, 7, 20, 40), interval(1, 4, 70, 95)]
    ran = sum(
        max(0, max(usage.sizes_at(usages, BEGIN + timedelta(seconds=at)).values()) - 2) for at in range(95)
    )

    assert sum(
        usage.instance_seconds(usages=usages, drop_id=UUID(int=drop), baseline=2) for drop in (1, 2, 3)
    ) == pytest.approx(ran)


# --- of steps -----------------------------------------------------------------------------------------------


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
        for item in costs.calculate(drop=drop, traffic=None, now=heartbeat.database_now()).items
    ]


def test_cost_includes_usage_from_before_a_postponement(gate: Target, cloud: Cloud) -> None:
    drop, step = make_ready(cloud)
    pass_time(0.1 * HOUR)
    day = timedelta(hours=24)
    Drop.objects.update(opens_at=F("opens_at") + day, lobby_opens_at=F("lobby_opens_at") + day)
    ticks(cloud, 3)
    assert Step.objects.get().state == "planned"
    pass_time(HOUR)

    assert hours(drop) == [round((step.desired_size - 2) * 0.1, 2)]
    (item,) = costs.calculate(drop=drop, traffic=None, now=heartbeat.database_now()).items
    assert (item.above, item.until < heartbeat.database_now().isoformat()) == (step.desired_size - 2, True)
    with pytest.raises(scale_plans.PlanRefused, match="their cost stays on record"):
        scale_plans.remove(drop=drop, actor=None)


def test_cost_counts_each_size_for_as_long_as_it_was_leased(gate: Target, cloud: Cloud) -> None:
    drop, first = make_ready(cloud)
    pass_time(0.1 * HOUR)
    scale_plans.set_expected(drop=drop, expected=40_000, actor=None)
    raised = Step.objects.get()
    assert raised.desired_size > first.desired_size
    pass_time(0.05 * HOUR)

    assert hours(drop) == [round((first.desired_size - 2) * 0.1 + (raised.desired_size - 2) * 0.05, 2)]


def test_cost_counts_a_size_that_needs_approval_only_once_approved(gate: Target, cloud: Cloud) -> None:
    Target.objects.update(ops_ceiling=3)
    drop, step = make_ready(cloud)
    pass_time(0.1 * HOUR)
    scale_plans.approve(drop=drop, actor=None)
    pass_time(0.05 * HOUR)

    assert step.desired_size > 3
    assert hours(drop) == [round((3 - 2) * 0.1 + (step.desired_size - 2) * 0.05, 2)]


def test_costs_of_overlapping_drops_are_split(gate: Target, cloud: Cloud) -> None:
    one, step = make_ready(cloud)
    other = make_drop(quantity=500)
    Drop.objects.filter(pk=other.pk).update(lobby_opens_at=Drop.objects.get(pk=one.pk).lobby_opens_at)
    scale_plans.set_expected(drop=other, expected=20_000, actor=None)
    ticks(cloud, 3)
    assert set(Step.objects.values_list("state", "desired_size")) == {("ready", step.desired_size)}
    pass_time(0.1 * HOUR)

    half = round((step.desired_size - 2) * 0.1 / 2, 2)
    assert (hours(one), hours(other)) == ([half], [half])


def test_replanning_without_a_change_records_no_usage(gate: Target, cloud: Cloud) -> None:
    drop, _step = make_ready(cloud)
    for expected in (20_000, 10_000):
        scale_plans.set_expected(drop=drop, expected=expected, actor=None)
    ticks(cloud, 3)

    assert Usage.objects.count() == 0


def test_record_stores_nothing_for_a_step_that_requested_nothing(gate: Target) -> None:
    drop = make_drop(quantity=500)
    scale_plans.set_expected(drop=drop, expected=20_000, actor=None)
    step = Step.objects.get()
    usage.record(step=step, now=heartbeat.database_now())

    assert (Usage.objects.count(), ScalePlan.objects.count(), hours(drop)) == (0, 1, [])
