"""Ordering constraints between steps: tiers, and database connections."""

import pytest
from django.utils import timezone

from drops.models import Drop
from drops.scaling.control import tick
from drops.scaling.models import Share, Step, Target
from tests.drops.scaling.cloud import Cloud, make_step, make_target
from tests.drops.scaling.ticks import ticks
from tests.factories import make_drop

pytestmark = pytest.mark.django_db


@pytest.fixture
def store(cloud: Cloud) -> Target:
    """A database that allows 40 connections for each of its instances: 80."""
    target = make_target(cloud, name="store", size=2, connection_limit=40)
    Share.objects.create(target=target, group="database", per_second=1000)
    return target


@pytest.fixture
def fleet(cloud: Cloud) -> Target:
    """A fleet of which each instance takes 20 connections: 40."""
    target = make_target(cloud, name="fleet", size=2, connections=20)
    Share.objects.create(target=target, group="web", per_second=10)
    return target


def test_a_fleet_grows_once_its_connections_are_there(cloud: Cloud, store: Target, fleet: Target) -> None:
    drop = make_drop()
    make_step(target=store, drop=drop, desired_size=6, tier=0)
    make_step(target=fleet, drop=drop, desired_size=6)

    ticks(cloud, 6)

    assert [(effect.name, effect.after) for effect in cloud.effects] == [("store", 6), ("fleet", 6)]


@pytest.mark.parametrize("why", ["drifted", "late", "held back"])
def test_a_fleet_does_not_outgrow_a_store_that_is_stuck(
    cloud: Cloud, store: Target, fleet: Target, why: str
) -> None:
    drop = make_drop()
    first = make_step(target=store, drop=drop, desired_size=6, tier=0)
    if why == "drifted":
        cloud.faults["store"] = "lie"
        tick.run_once(actor="test")
        cloud.fleets["store"].wanted = cloud.fleets["store"].serving = 3
        tick.run_once(actor="test")
        store.refresh_from_db()
        assert store.stopped_at is not None
    elif why == "late":
        cloud.quota = 5
        Step.objects.update(needed_at=timezone.now())
    else:
        Target.objects.filter(pk=store.pk).update(ops_ceiling=2)
        Step.objects.filter(pk=first.pk).update(needs_approval=True)
    step = make_step(target=fleet, drop=drop, desired_size=6)

    ticks(cloud, 4)

    step.refresh_from_db()
    assert (step.state, cloud.fleets["fleet"].wanted) == ("planned", 2)
    assert step.message.startswith("Waiting for database connections. ")


def test_a_store_keeps_its_size_while_a_fleet_needs_its_connections(
    cloud: Cloud, store: Target, fleet: Target
) -> None:
    drop = make_drop()
    make_step(target=store, drop=drop, desired_size=6, tier=0)
    make_step(target=fleet, drop=drop, desired_size=6)
    ticks(cloud, 6)
    cloud.fleets["fleet"].wanted = 7  # somebody else's; it is left alone
    tick.run_once(actor="test")
    Drop.objects.update(closed_at=timezone.now())

    ticks(cloud, 4)

    assert cloud.fleets["store"].wanted == 6
    assert Step.objects.get(target=store).message.startswith("Waiting for database connections. ")
