"""An ECS service, called by boto3 at a stand-in that lags, refuses and lies."""

import contextlib

import pytest

from drops.scaling.providers import ApplyRefused, BadLocator, OutcomeUnclear
from drops.scaling.providers.aws.ecs import EcsService
from tests.drops.scaling.aws_cloud import Cloud
from tests.drops.scaling.providers.converging import bring

LOCATOR = {"region": "eu-central-1", "cluster": "shop", "service": "web"}


@pytest.fixture
def provider() -> EcsService:
    return EcsService(locator=LOCATOR)


def bounds_and_count(aws: Cloud) -> tuple[int | None, int | None, int]:
    return aws.service.min_capacity, aws.service.max_capacity, aws.service.desired


def test_read_returns_bounds_and_counts(aws: Cloud, provider: EcsService) -> None:
    reading = provider.read()

    assert reading.state == {"min": 2, "max": 20, "desired": 2, "steered": False}
    assert (reading.size, reading.serving, reading.moving) == (2, 2, False)
    assert aws.calls_of("UpdateService", "RegisterScalableTarget") == []


def test_a_service_grows_beyond_its_upper_bound_and_is_restored_exactly(
    aws: Cloud, provider: EcsService
) -> None:
    aws.service.tasks_per_read, aws.service.has_load_balancer, aws.service.unhealthy = 9, True, 3
    baseline = provider.read().state

    up = bring(provider, provider.state_for(40, baseline=baseline))

    assert bounds_and_count(aws) == (40, 40, 40)
    assert up.readings[-1].serving == 40
    assert not any(
        provider.is_ready(reading, provider.state_for(40, baseline=baseline)) for reading in up.readings[:-1]
    )

    bring(provider, baseline)

    assert bounds_and_count(aws) == (2, 20, 2)
    assert provider.read().state == baseline


def test_the_lower_bound_alone_changes_nothing_so_the_count_is_set_too(
    aws: Cloud, provider: EcsService
) -> None:
    provider.apply(provider.state_for(15, baseline=provider.read().state), key="one")

    assert aws.calls_of("UpdateService", "RegisterScalableTarget") == [
        "RegisterScalableTarget",
        "UpdateService",
    ]
    assert bounds_and_count(aws) == (15, 20, 15)


def test_on_the_way_down_the_count_comes_first(aws: Cloud, provider: EcsService) -> None:
    baseline = provider.read().state
    bring(provider, provider.state_for(15, baseline=baseline))
    aws.calls.clear()

    provider.apply(baseline, key="two")

    assert aws.calls_of("UpdateService", "RegisterScalableTarget") == [
        "UpdateService",
        "RegisterScalableTarget",
    ]


@pytest.mark.parametrize("policies", [False, True])
@pytest.mark.parametrize(
    "call", [("RegisterScalableTarget", 15), ("UpdateService", 15), ("UpdateService", 40)]
)
@pytest.mark.parametrize("fault", ["ServerException", "lost", "lie"])
def test_a_change_that_failed_half_way_is_recognised_as_ours_and_completed(
    aws: Cloud, provider: EcsService, policies: bool, call: tuple[str, int], fault: str
) -> None:
    operation, size = call
    aws.service.has_policies = policies
    baseline = provider.read().state
    state = provider.state_for(size, baseline=baseline)
    for before, after in ((baseline, state), (state, baseline)):
        aws.fault(operation, fault, status=500)
        with contextlib.suppress(OutcomeUnclear):
            provider.apply(after, key="one")
        live = provider.read().state

        assert any(provider.is_same(live, one) for one in (before, after)) or provider.is_between(
            live, before=before, after=after
        )
        bring(provider, after)
    assert bounds_and_count(aws)[:2] == (2, 20)
    assert aws.service.desired == 2


def test_a_service_without_bounds_is_scaled_by_its_count(aws: Cloud, provider: EcsService) -> None:
    aws.service.min_capacity = aws.service.max_capacity = None
    baseline = provider.read().state

    bring(provider, provider.state_for(9, baseline=baseline))
    assert aws.service.desired == 9
    bring(provider, baseline)

    assert aws.service.desired == 2
    assert aws.calls_of("RegisterScalableTarget") == []


def test_policies_may_raise_the_count_further(aws: Cloud, provider: EcsService) -> None:
    aws.service.has_policies = True
    baseline = provider.read().state
    state = provider.state_for(12, baseline=baseline)
    bring(provider, state)

    aws.service.desired = 17  # the policies' doing
    busy = provider.read()
    again = provider.state_for(14, baseline=baseline)
    provider.apply(again, key="two")

    assert provider.is_same(busy.state, state)
    assert provider.is_ready(busy, state)
    assert bounds_and_count(aws) == (14, 20, 17)
    assert min(aws.counts) == 12


@pytest.mark.parametrize("change", [{"min_capacity": 1}, {"max_capacity": 99}, {"desired": 7}])
def test_a_change_by_somebody_else_is_not_the_same(
    aws: Cloud, provider: EcsService, change: dict[str, int]
) -> None:
    baseline = provider.read().state
    state = provider.state_for(15, baseline=baseline)
    bring(provider, state)

    for name, value in change.items():
        setattr(aws.service, name, value)
    live = provider.read().state

    assert not provider.is_same(live, state)
    assert not provider.is_same(live, baseline)
    assert not provider.is_between(live, before=baseline, after=state)


def test_a_plan_below_the_baseline_lowers_nothing(aws: Cloud, provider: EcsService) -> None:
    aws.service.min_capacity, aws.service.desired = 5, 8

    assert provider.state_for(3, baseline=provider.read().state) == {
        "min": 5,
        "max": 20,
        "desired": 8,
        "steered": False,
    }


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        (
            "You've reached the limit on the number of vCPUs you can run concurrently",
            "higher Fargate vCPU quota",
        ),
        ("Your subnet has no free IP addresses", "subnets with free addresses"),
        ("The closest matching container-instance is too small", "See the service's events"),
    ],
)
def test_tasks_that_cannot_be_placed_are_reported_with_advice(
    aws: Cloud, provider: EcsService, reason: str, advice: str
) -> None:
    aws.service.max_running, aws.service.event_reason = 11, reason
    provider.apply(provider.state_for(15, baseline=provider.read().state), key="one")

    reading = provider.read()

    assert (reading.serving, reading.moving) == (11, True)
    assert reading.message.startswith("11 of 15 tasks are ready. ")
    assert advice in reading.message


def test_a_daemon_is_refused(aws: Cloud, provider: EcsService) -> None:
    aws.service.is_daemon = True

    with pytest.raises(ApplyRefused, match="one task per machine"):
        provider.read()


def test_an_unknown_service_is_refused(aws: Cloud) -> None:
    with pytest.raises(ApplyRefused, match="There is no ECS service shop/other in eu-central-1"):
        EcsService(locator=LOCATOR | {"service": "other"}).read()


def test_a_count_that_was_accepted_but_not_set_is_unclear(aws: Cloud, provider: EcsService) -> None:
    baseline = provider.read().state
    bring(provider, provider.state_for(15, baseline=baseline))
    aws.fault("UpdateService", "lie")

    with pytest.raises(OutcomeUnclear, match="accepted a count of 2 for shop/web, but still reports 15"):
        provider.apply(baseline, key="one")
    assert bounds_and_count(aws) == (15, 20, 15)


def test_check_names_each_invalid_field() -> None:
    with pytest.raises(BadLocator) as caught:
        EcsService.check(
            {"region": "Frankfurt", "cluster": "arn:aws:ecs:eu-central-1:1:cluster/shop", "service": 7}
        )

    assert caught.value.errors == {
        "region": "Enter an AWS region, such as eu-central-1.",
        "cluster": "Enter the name of the ECS cluster, not an address or ARN.",
        "service": "Enter the name of the ECS service, not an address or ARN.",
    }
    EcsService.check(LOCATOR)


def test_resource_is_the_same_for_the_same_service() -> None:
    assert EcsService.resource(
        {"region": " eu-central-1", "cluster": "shop ", "service": "web"}
    ) == EcsService.resource(LOCATOR)


def test_unhealthy_tasks_do_not_count_as_ready(aws: Cloud, provider: EcsService) -> None:
    aws.service.has_load_balancer, aws.service.unhealthy = True, 2
    state = provider.state_for(9, baseline=provider.read().state)
    provider.apply(state, key="one")

    aws.service.unhealthy = 2
    ill, well = provider.read(), [provider.read(), provider.read()][-1]

    assert (ill.serving, ill.moving, provider.is_ready(ill, state)) == (7, False, False)
    assert (well.serving, provider.is_ready(well, state)) == (9, True)
