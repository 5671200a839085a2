"""The minimum of an Aurora Serverless v2 cluster, which climbs at its own pace."""

from typing import Any

import pytest

from drops.scaling.providers import ApplyRefused, OutcomeUnclear
from drops.scaling.providers.aws.aurora_serverless import AuroraServerless
from tests.drops.scaling.aws_cloud import Cloud
from tests.drops.scaling.providers.converging import bring

WHERE = {"region": "eu-central-1", "cluster": "shop"}


@pytest.fixture
def kind(aws: Cloud) -> AuroraServerless:
    for instance in aws.instances.values():
        instance.klass = "db.serverless"
    return AuroraServerless(locator=WHERE)


def test_a_baseline_of_half_an_acu_comes_back_exactly(aws: Cloud, kind: AuroraServerless) -> None:
    baseline = kind.read().state

    up = bring(kind, kind.state_for(17, baseline=baseline))

    assert aws.range == {"MinCapacity": 8.5, "MaxCapacity": 16.0}
    assert [reading.serving for reading in up.readings] == [1, 2, 4, 8, 16, 17]
    assert {one.acu for one in aws.instances.values()} == {8.5}

    bring(kind, baseline)

    assert aws.range == {"MinCapacity": 0.5, "MaxCapacity": 16.0}
    assert (baseline, kind.read().size) == ({"min": 0.5, "max": 16.0}, 1)


def test_a_minimum_above_the_maximum_takes_it_along_and_gives_it_back(aws: Cloud, kind: AuroraServerless) -> None:
    baseline = kind.read().state

    bring(kind, kind.state_for(80, baseline=baseline))
    assert aws.range == {"MinCapacity": 40.0, "MaxCapacity": 40.0}
    bring(kind, baseline)

    assert aws.range == {"MinCapacity": 0.5, "MaxCapacity": 16.0}


def test_a_cluster_that_pauses_gets_its_pause_back(aws: Cloud, kind: AuroraServerless) -> None:
    aws.range = {"MinCapacity": 0.0, "MaxCapacity": 16.0, "SecondsUntilAutoPause": 900}
    baseline = kind.read().state

    bring(kind, kind.state_for(8, baseline=baseline))
    assert aws.range == {"MinCapacity": 4.0, "MaxCapacity": 16.0}
    bring(kind, baseline)

    assert aws.range == {"MinCapacity": 0.0, "MaxCapacity": 16.0, "SecondsUntilAutoPause": 900}
    assert baseline == {"min": 0.0, "max": 16.0, "pause": 900}


def test_one_instance_that_lags_is_not_ready(aws: Cloud, kind: AuroraServerless) -> None:
    state = kind.state_for(8, baseline=kind.read().state)
    kind.apply(state, key="one")
    aws.instances["shop-a"].acu = 12.0

    reading = kind.read()

    assert reading.state == state
    assert not kind.is_ready(reading, state)
    assert reading.message == "shop-a 6 ACU, shop-b 1 ACU"


def test_a_cluster_that_reports_no_capacity_is_not_ready(aws: Cloud, kind: AuroraServerless) -> None:
    baseline = kind.read().state
    aws.fault("GetMetricData", "lie", times=100)
    state = kind.state_for(2, baseline=baseline)
    kind.apply(state, key="one")

    reading = kind.read()

    assert (reading.serving, kind.is_ready(reading, state)) == (0, False)
    assert "shop-b (available) has reported no capacity for five minutes" in reading.message


def test_an_accepted_call_that_did_nothing_is_asked_again(aws: Cloud, kind: AuroraServerless) -> None:
    aws.fault("ModifyDBCluster", "lie", times=3)

    bring(kind, kind.state_for(8, baseline=kind.read().state))

    assert aws.range == {"MinCapacity": 4.0, "MaxCapacity": 16.0}
    assert aws.asked("ModifyDBCluster") == ["ModifyDBCluster"] * 4


def test_changes_of_others_go_on_waiting(aws: Cloud, kind: AuroraServerless) -> None:
    aws.waiting = {"EngineVersion": "17.9"}

    kind.apply(kind.state_for(8, baseline=kind.read().state), key="one")

    assert aws.waiting == {"EngineVersion": "17.9"}


def test_instances_of_other_classes_do_not_count(aws: Cloud, kind: AuroraServerless) -> None:
    aws.instances["shop-a"].klass = "db.r7g.large"

    assert kind.read().message.startswith("shop-b 0.5 ACU")


def test_the_cap_on_connections_is_told(aws: Cloud, kind: AuroraServerless) -> None:
    assert "allows 2,000 connections at most" in kind.read().message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"range": None}, "not Serverless v2"),
        ({"instances": {}}, "no instance of class db.serverless"),
    ],
)
def test_a_cluster_that_has_no_minimum_is_refused(
    aws: Cloud, kind: AuroraServerless, change: dict[str, Any], words: str
) -> None:
    for name, value in change.items():
        setattr(aws, name, value)

    with pytest.raises(ApplyRefused, match=words):
        kind.read()


def test_an_unknown_cluster_is_refused(aws: Cloud, kind: AuroraServerless) -> None:
    with pytest.raises(ApplyRefused, match="There is no Aurora cluster other in eu-central-1"):
        AuroraServerless(locator=WHERE | {"cluster": "other"}).read()


def test_sizes_are_shown_in_acu(kind: AuroraServerless) -> None:
    assert [kind.format_size(size) for size in (1, 8, 17)] == ["0.5 ACU", "4 ACU", "8.5 ACU"]


def test_an_impossible_capacity_is_unknown(aws: Cloud, kind: AuroraServerless) -> None:
    aws.instances["shop-a"].acu = 1e9
    aws.range = {"MinCapacity": 1e8, "MaxCapacity": 1e9}

    with pytest.raises(OutcomeUnclear, match="impossible capacity"):
        kind.read()
