from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from drops.models import Checkpoint, Drop, Hold
from drops.scaling.models import Call, Demand, ScalePlan, Step, Target
from drops.scaling.planning import history, prices, read_inputs
from drops.scaling.planning.planner import make_plan
from drops.scaling.providers import PROVIDERS
from tests.factories import make_drop, make_hold

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def make_target(*, group: str | None = "web", per_second: Any = 30, **fields: Any) -> Any:
    name = fields.pop("name", "web fleet")
    target = Target.objects.create(
        **{"name": name, "provider": "gunicorn", "resource": name, "ceiling": 50, "lead_seconds": 5} | fields
    )
    if group:
        target.shares.create(group=group, per_second=per_second)
    return target


def make_step(*, target: Target, seconds: float, drop: Drop | None = None, **fields: Any) -> Step:
    """A step that was ready so many seconds after its demand."""
    now = timezone.now()
    step = Step.objects.create(
        **{"drop": drop or make_drop(), "target": target, "desired_size": 6, "tier": 1}
        | {"starts_at": now, "needed_at": now}
        | {
            "state": "restored",
            "requested_at": now - timedelta(seconds=seconds),
            "ready_at": now,
            "ended_at": now,
        }
        | fields
    )
    Call.objects.create(target=target, step=step, operation="apply", milliseconds=1, actor="test")
    return step


def read(drop: Drop | None = None, expected: int = 1000) -> Any:
    return read_inputs.read(drop=drop or make_drop(), expected=expected, now=timezone.now())


def only() -> Any:
    (target,) = read().targets
    return target


def test_read_takes_settings_and_stock(settings: Settings) -> None:
    settings.CHECKOUT_SLOTS, settings.READY_PER_SECOND, settings.SCALING_GO_SECONDS = 120, 30, 60.0
    found = read(make_drop(quantity=7, editions=2))

    assert (found.units, found.checkout_slots, found.baseline_per_second, found.go_seconds) == (
        14,
        120,
        30,
        60.0,
    )
    assert (found.expected, found.is_over, found.connections_elsewhere >= 10) == (1000, False, True)
    assert read(make_drop(phase="draft", quantity=5)).units == 5
    assert read(make_drop(phase="closed")).is_over is True


def test_read_asks_the_database_what_it_allows() -> None:
    allowed, used = read_inputs.database_connections()

    assert 0 < used <= allowed + 10


def test_read_leaves_out_targets_that_cannot_be_planned() -> None:
    make_target(name="odd", provider="abacus")
    make_target(name="idle", group=None)
    make_target(name="off", enabled=False)
    found = read()

    assert found.targets == ()
    assert found.left_out == (
        "odd is left out: there is no provider “abacus”. Disable it, or add it again with another provider.",
        "idle is left out: it carries no group. Add one on its page.",
    )


def test_read_prefers_the_baseline_to_the_observed_size_to_the_floor() -> None:
    target = make_target(floor=3)
    assert only().current_size == 3
    Target.objects.update(observed={"size": 5, "serving": 5})
    assert only().current_size == 5
    Target.objects.filter(pk=target.pk).update(baseline={"workers": 4}, baseline_size=4)
    assert only().current_size == 4


def test_read_counts_a_scaled_fleet_as_ours() -> None:
    grown = make_target(name="web", connections=6, baseline={"workers": 1}, baseline_size=1, ready_size=8)

    assert (only().current_size, read_inputs.connected_instances(only())) == (1, 8)

    grown.ready_size = None
    grown.save()
    assert read_inputs.connected_instances(only()) == 1


def test_read_learns_the_lead_time_from_applied_moves() -> None:
    target = make_target()
    make_step(target=target, seconds=40)
    make_step(target=target, seconds=20)
    assert only().lead_seconds == 60

    make_step(target=target, seconds=400).calls.all().delete()  # ready without a call: nothing was moved
    assert only().lead_seconds == 60


def test_read_knows_the_leases_of_other_drops() -> None:
    target, mine = make_target(), make_drop()
    make_step(target=target, seconds=9, state="holding", ended_at=None, desired_size=9)
    make_step(target=target, seconds=9, drop=mine, state="holding", ended_at=None, desired_size=12)

    assert read(mine).targets[0].other_leases_size == 9


def test_read_takes_a_price_as_set_or_from_the_table() -> None:
    make_target()
    assert only().price_per_hour is None
    Target.objects.update(provider="ecs")
    assert (only().price_per_hour, only().price_reason) == (
        Decimal("0.04937"),
        "$0.04937 an hour: a Fargate task of 1 vCPU and 2 GB, Linux on x86: 0.04048 + 2 × 0.004445 (2026-11-24)",
    )
    Target.objects.update(price_per_hour=Decimal("0.10000"))
    assert only().price_per_hour == Decimal("0.10000")


def test_price_table_has_every_provider_with_a_price() -> None:
    wanted = {kind.price_key for kind in PROVIDERS.values() if kind.price_key}

    assert wanted <= set(prices.price_table().hourly)
    assert all(
        entry.source.startswith("https://") and entry.amount > 0
        for entry in prices.price_table().hourly.values()
    )


def test_read_takes_approved_sizes() -> None:
    drop = make_drop()
    ScalePlan.objects.create(drop=drop, approved_sizes={"7": 40})

    assert read(drop).approved_sizes == {7: 40}


def test_read_learns_from_the_last_drops() -> None:
    drop = make_drop(phase="live")
    Checkpoint.objects.filter(drop=drop).update(joined=1000, counter_limit=1000, entered=100)
    Demand.objects.create(drop=drop, group="web", shoppers=1000, requests=1500)
    mine = make_drop(phase="live")
    Checkpoint.objects.filter(drop=mine).update(joined=1000, counter_limit=1000, entered=100)
    Demand.objects.create(drop=mine, group="web", shoppers=1000, requests=9000)
    rehearsal = make_drop(phase="live", listed=False)
    Demand.objects.create(drop=rehearsal, group="gate", shoppers=1000, peak_per_second=900)

    assert read(mine).weights["web"].per_admitted == 15
    assert read(mine).weights["gate"].peak_per_shopper is None


def test_read_learns_checkout_seconds_and_units_per_hold() -> None:
    drop = make_drop(phase="live", quantity=60)
    first = drop.editions.get()
    now = timezone.now()
    for index in range(20):
        make_hold(
            drop=drop,
            index=index,
            quantities={first.pk: 2 if index < 10 else 1},
            state="allocated",
            ended_at=now,
        )
    Hold.objects.update(created_at=now - timedelta(seconds=30))
    found = read(make_drop())

    assert (found.units_per_hold, round(found.checkout_seconds)) == (1.5, 30)
    assert (
        found.checkout_reason
        == "about 30 s from the hold to the authorised payment, the mean of the last 20 orders"
    )
    assert read(make_drop(limit_per_order=1)).units_per_hold == 1.0


def test_read_assumes_a_minute_until_enough_was_sold() -> None:
    assert read().checkout_reason == "about 60 s from the hold to the authorised payment, an assumption"


def test_read_makes_as_many_queries_for_three_targets_as_for_one(
    django_assert_num_queries: DjangoAssertNumQueries, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    drop = make_drop()
    drop = type(drop).objects.with_state().get(pk=drop.pk)
    make_target()
    with django_assert_max_num_queries(12) as one:
        read(drop)
    make_target(name="more", group="gate")
    make_target(name="still more", group="edge")

    with django_assert_num_queries(len(one)):
        read(drop)


def test_make_plan_accepts_inputs_read_from_rows() -> None:
    make_target()
    planned = make_plan(read(make_drop(quantity=500), expected=20_000))

    assert [(line.target, line.desired_size, line.unit) for line in planned.lines] == [
        ("web fleet", 8, "workers")
    ]
    assert planned.problems == ()


def test_suggest_returns_a_fifth_more_than_the_largest_crowd() -> None:
    for joined in (100, 1000, 700, 300):  # the newest last; four drops, of which three count
        drop = make_drop(phase="live")
        Checkpoint.objects.filter(drop=drop).update(joined=joined, counter_limit=joined)
        assert drop.opens_at is not None
        type(drop).objects.filter(pk=drop.pk).update(
            opens_at=drop.opens_at + joined * timedelta(microseconds=1)
        )

    found = history.suggest(drop=make_drop())

    assert found.expected == 1200
    assert found.reason.endswith("the largest of the last 3 drops; this is a fifth more.")


def test_suggest_returns_0_before_the_first_drop() -> None:
    assert history.suggest(drop=make_drop()).expected == 0
