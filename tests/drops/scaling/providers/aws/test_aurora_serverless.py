"""The minimum of an Aurora Serverless v2 cluster, which climbs at its own pace."""

from typing import Any

import pytest

from drops.scaling.providers import ApplyRefused, OutcomeUnclear
from drops.scaling.providers.aws.aurora_serverless import AuroraServerless
from tests.drops.scaling.aws_cloud import Cloud
from tests.drops.scaling.providers.converging import bring

LOCATOR = {"region": "eu-central-1", "cluster": "shop"}


@pytest.fixture
def provider(aws: Cloud) -> AuroraServerless:
    for instance in aws.instances.values():
        instance.instance_class = "db.serverless"
    return AuroraServerless(locator=LOCATOR)


def test_a_baseline_of_half_an_acu_is_restored_exactly(aws: Cloud, provider: AuroraServerless) -> None:
    baseline = provider.read().state

    up = bring(provider, provider.state_for(17, baseline=baseline))

    assert aws.capacity_range == {"MinCapacity": 8.5, "MaxCapacity": 16.0}
    assert [reading.serving for reading in up.readings] == [1, 2, 4, 8, 16, 17]
    assert {one.acu for one in aws.instances.values()} == {8.5}

    bring(provider, baseline)

    assert aws.capacity_range == {"MinCapacity": 0.5, "MaxCapacity": 16.0}
    assert (baseline, provider.read().size) == ({"min": 0.5, "max": 16.0}, 1)


def test_a_minimum_above_the_maximum_raises_it_and_both_are_restored(
    aws: Cloud, provider: AuroraServerless
) -> None:
    baseline = provider.read().state

    bring(provider, provider.state_for(80, baseline=baseline))
    assert aws.capacity_range == {"MinCapacity": 40.0, "MaxCapacity": 40.0}
    bring(provider, baseline)

    assert aws.capacity_range == {"MinCapacity": 0.5, "MaxCapacity": 16.0}


def test_a_cluster_that_pauses_has_its_pause_restored(aws: Cloud, provider: AuroraServerless) -> None:
    aws.capacity_range = {"MinCapacity": 0.0, "MaxCapacity": 16.0, "SecondsUntilAutoPause": 900}
    baseline = provider.read().state

    bring(provider, provider.state_for(8, baseline=baseline))
    assert aws.capacity_range == {"MinCapacity": 4.0, "MaxCapacity": 16.0}
    bring(provider, baseline)

    assert aws.capacity_range == {"MinCapacity": 0.0, "MaxCapacity": 16.0, "SecondsUntilAutoPause": 900}
    assert baseline == {"min": 0.0, "max": 16.0, "pause": 900}


def test_one_instance_that_lags_is_not_ready(aws: Cloud, provider: AuroraServerless) -> None:
    state = provider.state_for(8, baseline=provider.read().state)
    provider.apply(state, key="one")
    aws.instances["shop-a"].acu = 12.0

    reading = provider.read()

    assert reading.state == state
    assert not provider.is_ready(reading, state)
    assert reading.message == "shop-a 6 ACU, shop-b 1 ACU"


def test_a_cluster_that_reports_no_capacity_is_not_ready(aws: Cloud, provider: AuroraServerless) -> None:
    baseline = provider.read().state
    aws.fault("GetMetricData", "lie", times=100)
    state = provider.state_for(2, baseline=baseline)
    provider.apply(state, key="one")

    reading = provider.read()

    assert (reading.serving, provider.is_ready(reading, state)) == (0, False)
    assert "shop-b (available) has reported no capacity for five minutes" in reading.message


def test_an_accepted_call_without_effect_is_repeated(aws: Cloud, provider: AuroraServerless) -> None:
    aws.fault("ModifyDBCluster", "lie", times=3)

    bring(provider, provider.state_for(8, baseline=provider.read().state))

    assert aws.capacity_range == {"MinCapacity": 4.0, "MaxCapacity": 16.0}
    assert aws.calls_of("ModifyDBCluster") == ["ModifyDBCluster"] * 4


def test_pending_changes_of_others_stay_pending(aws: Cloud, provider: AuroraServerless) -> None:
    aws.pending_changes = {"EngineVersion": "17.9"}

    provider.apply(provider.state_for(8, baseline=provider.read().state), key="one")

    assert aws.pending_changes == {"EngineVersion": "17.9"}


def test_instances_of_other_classes_do_not_count(aws: Cloud, provider: AuroraServerless) -> None:
    aws.instances["shop-a"].instance_class = "db.r7g.large"

    assert provider.read().message.startswith("shop-b 0.5 ACU")


def test_the_limit_on_connections_is_in_the_message(aws: Cloud, provider: AuroraServerless) -> None:
    assert "allows at most 2,000 connections" in provider.read().message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"capacity_range": None}, "not Serverless v2"),
        ({"instances": {}}, "no instance of class db.serverless"),
    ],
)
def test_a_cluster_that_has_no_minimum_is_refused(
    aws: Cloud, provider: AuroraServerless, change: dict[str, Any], words: str
) -> None:
    for name, value in change.items():
        setattr(aws, name, value)

    with pytest.raises(ApplyRefused, match=words):
        provider.read()


def test_an_unknown_cluster_is_refused(aws: Cloud, provider: AuroraServerless) -> None:
    with pytest.raises(ApplyRefused, match="There is no Aurora cluster other in eu-central-1"):
        AuroraServerless(locator=LOCATOR | {"cluster": "other"}).read()


def test_sizes_are_shown_in_acu(provider: AuroraServerless) -> None:
    assert [provider.format_size(size) for size in (1, 8, 17)] == ["0.5 ACU", "4 ACU", "8.5 ACU"]


def test_an_impossible_capacity_is_unclear(aws: Cloud, provider: AuroraServerless) -> None:
    aws.instances["shop-a"].acu = 1e9
    aws.capacity_range = {"MinCapacity": 1e8, "MaxCapacity": 1e9}

    with pytest.raises(OutcomeUnclear, match="impossible capacity"):
        provider.read()
