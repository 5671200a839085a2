"""The shape of the calls: what the AWS providers send is accepted by moto, which applies it at once."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from drops.scaling.providers import ApplyRefused
from drops.scaling.providers.aws.aurora_class import AuroraClass
from drops.scaling.providers.aws.aurora_serverless import AuroraServerless
from drops.scaling.providers.aws.ecs import EcsService
from drops.scaling.providers.aws.lambda_ import LambdaConcurrency
from tests.drops.scaling.providers.converging import bring

REGION = "eu-central-1"
SMALL, LARGE = "db.r6g.large", "db.r6g.xlarge"


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """An empty account at moto's server: `moto("ecs")` is a client of our own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    requests.post(
        f"http://127.0.0.1:{port}/moto-api/reset", timeout=10
    )  # it remembers earlier servers' calls
    yield lambda service: boto3.session.Session().client(service, region_name=REGION)
    server.stop()


@pytest.fixture
def ecs_service(moto: Callable[..., Any]) -> EcsService:
    ecs = moto("ecs")
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(
        family="web", containerDefinitions=[{"name": "web", "image": "web", "memory": 64}]
    )
    ecs.create_service(cluster="shop", serviceName="web", taskDefinition="web", desiredCount=2)
    moto("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs", ResourceId="service/shop/web", ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=2, MaxCapacity=6,
    )  # fmt: skip
    return EcsService(locator={"region": REGION, "cluster": "shop", "service": "web"})


def test_ecs_takes_bounds_and_count(moto: Callable[..., Any], ecs_service: EcsService) -> None:
    baseline = ecs_service.read().state
    state = ecs_service.state_for(9, baseline=baseline)

    asked = ecs_service.apply(state, key="one")
    up = ecs_service.read()
    ecs_service.apply(baseline, key="two")

    assert asked.request_id
    assert (up.state, up.size) == ({"min": 9, "max": 9, "desired": 9, "steered": False}, 9)
    assert ecs_service.read().state == baseline == {"min": 2, "max": 6, "desired": 2, "steered": False}


def test_policies_of_ecs_are_read(moto: Callable[..., Any], ecs_service: EcsService) -> None:
    moto("application-autoscaling").put_scaling_policy(
        PolicyName="cpu", ServiceNamespace="ecs", ResourceId="service/shop/web",
        ScalableDimension="ecs:service:DesiredCount", PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration={
            "TargetValue": 50.0,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        },
    )  # fmt: skip

    assert ecs_service.read().state["steered"] is True


def test_an_unknown_ecs_cluster_is_refused(moto: Callable[..., Any]) -> None:
    with pytest.raises(ApplyRefused, match="There is no ECS service other/web in eu-central-1"):
        EcsService(locator={"region": REGION, "cluster": "other", "service": "web"}).read()


def make_cluster(moto: Callable[..., Any], instance_class: str, **fields: Any) -> None:
    rds = moto("rds")
    rds.create_db_cluster(
        DBClusterIdentifier="shop", Engine="aurora-postgresql", MasterUsername="shop", MasterUserPassword="secret123",
        **fields,
    )  # fmt: skip
    for name in ("shop-a", "shop-b"):
        rds.create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass=instance_class,
            Engine="aurora-postgresql",
            DBClusterIdentifier="shop",
        )


def test_aurora_serverless_takes_its_range(moto: Callable[..., Any]) -> None:
    make_cluster(
        moto, "db.serverless", ServerlessV2ScalingConfiguration={"MinCapacity": 0.5, "MaxCapacity": 4.0}
    )
    provider = AuroraServerless(locator={"region": REGION, "cluster": "shop"})
    baseline = provider.read().state
    state = provider.state_for(9, baseline=baseline)

    provider.apply(state, key="one")
    moto("cloudwatch").put_metric_data(
        Namespace="AWS/RDS",
        MetricData=[
            {"MetricName": "ServerlessDatabaseCapacity", "Value": acu,
             "Dimensions": [{"Name": "DBInstanceIdentifier", "Value": name}]}
            for name, acu in (("shop-a", 4.5), ("shop-b", 6.0))
        ],
    )  # fmt: skip
    up = provider.read()
    provider.apply(baseline, key="two")

    assert (up.state, up.size, up.serving, provider.is_ready(up, state)) == (
        {"min": 4.5, "max": 4.5},
        9,
        9,
        True,
    )
    assert provider.read().state == baseline == {"min": 0.5, "max": 4.0}


def test_aurora_classes_change_by_reader_and_failover(moto: Callable[..., Any]) -> None:
    make_cluster(moto, SMALL)
    provider = AuroraClass(locator={"region": REGION, "cluster": "shop", "classes": f"{SMALL} {LARGE}"})
    baseline = provider.read().state

    bring(provider, provider.state_for(4, baseline=baseline))
    up = provider.read()
    bring(provider, baseline)

    assert (up.state, up.size) == ({"classes": {"shop-a": LARGE, "shop-b": LARGE}, "writer": "shop-b"}, 4)
    assert provider.read().state == baseline


def test_an_unknown_function_is_refused(moto: Callable[..., Any]) -> None:
    with pytest.raises(ApplyRefused, match="There is no alias live of function pay in eu-central-1"):
        LambdaConcurrency(locator={"region": REGION, "function": "pay", "alias": "live"}).read()
