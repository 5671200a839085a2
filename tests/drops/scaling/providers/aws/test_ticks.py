"""The AWS providers under real ticks: four targets are scaled up and restored, whatever AWS does."""

from typing import Any

import pytest
from django.utils import timezone

from drops.models import Drop
from drops.scaling.control import tick
from drops.scaling.models import Call, Step, Target
from drops.scaling.providers import PROVIDERS
from shop.core.models import Alert
from tests.drops.scaling.aws_cloud import REGION, Cloud, Instance
from tests.drops.scaling.clock import pass_time
from tests.drops.scaling.cloud import make_step
from tests.factories import make_drop

pytestmark = pytest.mark.django_db

SMALL, LARGE = "db.r7g.large", "db.r7g.2xlarge"
CLUSTER = {"region": REGION, "cluster": "shop"}
LOCATORS = {
    "ecs": CLUSTER | {"service": "web"},
    "aurora-serverless": CLUSTER,
    "aurora-class": CLUSTER | {"classes": f"{SMALL}, {LARGE}"},
    "lambda": {"region": REGION, "function": "pay", "alias": "live"},
}
DESIRED_SIZES = {"ecs": 40, "aurora-serverless": 17, "aurora-class": 8, "lambda": 50}


@pytest.fixture
def drop(aws: Cloud) -> Drop:
    """A drop with a step for each AWS provider. The cluster has two provisioned instances, one serverless."""
    aws.instances["shop-s"] = Instance("db.serverless")
    aws.service.tasks_per_read, aws.function.started_per_read = 15, 20
    drop = make_drop()
    for key, locator in LOCATORS.items():
        provider = PROVIDERS[key]
        provider.check(locator)
        target = Target.objects.create(
            name=key,
            provider=key,
            locator=locator,
            resource=provider.resource(locator),
            ceiling=100,
            lead_seconds=provider.lead_seconds,
        )
        make_step(target=target, drop=drop, desired_size=DESIRED_SIZES[key], tier=provider.tier)
    return drop


def current_state(aws: Cloud) -> dict[str, Any]:
    """Return the state of everything in the account."""
    return {
        "ecs": (aws.service.min_capacity, aws.service.max_capacity, aws.service.desired, aws.service.running),
        "acu": aws.capacity_range,
        "classes": {name: one.instance_class for name, one in aws.instances.items()},
        "writer": aws.writer,
        "lambda": (aws.function.requested, aws.function.available),
    }


def tick_until(state: str, *, max_ticks: Any = 60, **others: Any) -> None:
    """Tick until the steps have reached a state, those of some providers a different one."""
    expected = dict.fromkeys(DESIRED_SIZES, state) | others
    for _tick in range(max_ticks):
        tick.run_once(actor="test")
        pass_time(20)  # what is to be tried again, is
        states = dict(Step.objects.values_list("target__provider", "state"))
        if states == expected:
            return
    raise AssertionError([states, list(Step.objects.values_list("target__provider", "message"))])


@pytest.mark.parametrize(
    "faults",
    [
        {},
        dict.fromkeys(("ModifyDBInstance", "PutProvisionedConcurrencyConfig"), "lost")
        | dict.fromkeys(("RegisterScalableTarget", "GetMetricData", "GetAlias"), "ThrottlingException")
        | dict.fromkeys(("UpdateService", "ModifyDBCluster", "FailoverDBCluster"), "lie")
        | dict.fromkeys(
            ("DescribeServices", "DescribeDBClusters", "GetProvisionedConcurrencyConfig"), "garbage"
        ),
    ],
    ids=["nothing", "everything"],
)
def test_all_targets_of_a_drop_grow_and_are_restored_exactly(aws: Cloud, drop: Drop, faults: Any) -> None:
    before = current_state(aws)
    for operation, fault in faults.items():
        aws.fault(operation, fault, times=2)

    tick_until("ready")

    assert current_state(aws) == {
        "ecs": (40, 40, 40, 40),
        "acu": {"MinCapacity": 8.5, "MaxCapacity": 16.0},
        "classes": {"shop-a": LARGE, "shop-b": LARGE, "shop-s": "db.serverless"},
        "writer": "shop-b",
        "lambda": (50, 50),
    }
    Drop.objects.filter(pk=drop.pk).update(closed_at=timezone.now())
    for operation, fault in faults.items():
        aws.fault(operation, fault, times=2)
    tick_until("restored")

    assert current_state(aws) == before
    assert set(Target.objects.values_list("baseline", "desired", "stopped_at")) == {(None, None, None)}
    assert aws.writers_resized == 0
    assert not Alert.objects.filter(subject__endswith="drift").exists()


def test_calls_record_their_request_ids(aws: Cloud, drop: Drop) -> None:
    tick_until("ready")

    asked = Call.objects.filter(operation="apply", target__provider="lambda").get()
    assert asked.request_id.startswith("request-")
    assert (asked.before, asked.after, asked.error) == ({"concurrency": 0}, {"concurrency": 50}, "")


@pytest.mark.parametrize(
    ("operation", "code", "sentence"),
    [
        (
            "UpdateService",
            "AccessDeniedException",
            "AWS doesn't allow ecs:UpdateService on ECS service shop/web.",
        ),
        ("UpdateService", "ExpiredTokenException", "The AWS credentials have expired"),
        ("RegisterScalableTarget", "LimitExceededException", "An AWS quota is used up: No."),
    ],
)
def test_a_refusal_alerts_with_what_to_do_and_the_others_go_on(
    aws: Cloud, drop: Drop, operation: str, code: str, sentence: str
) -> None:
    aws.fault(operation, code, times=9999)

    tick_until("ready", ecs="requested")

    target = Target.objects.get(provider="ecs")
    assert target.error.startswith(sentence)
    assert sentence in Alert.objects.open().get(details__target=target.name).message


def test_a_change_by_somebody_else_is_left_alone(aws: Cloud, drop: Drop) -> None:
    tick_until("ready")
    aws.capacity_range = {"MinCapacity": 3.0, "MaxCapacity": 16.0}

    tick.run_once(actor="test")

    assert Target.objects.get(stopped_at__isnull=False).provider == "aurora-serverless"
    assert aws.capacity_range == {"MinCapacity": 3.0, "MaxCapacity": 16.0}
