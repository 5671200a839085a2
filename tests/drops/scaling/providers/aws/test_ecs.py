"""An ECS service, asked by boto3 of a stand-in that lags, refuses and lies."""

import contextlib

import pytest

from drops.scaling.providers import ApplyRefused, BadLocator, OutcomeUnclear
from drops.scaling.providers.aws.ecs import EcsService
from tests.drops.scaling.aws_cloud import Cloud
from tests.drops.scaling.providers.converging import bring

WHERE = {"region": "eu-central-1", "cluster": "shop", "service": "web"}


@pytest.fixture
def kind() -> EcsService:
    return EcsService(locator=WHERE)


def bounds_and_count(aws: Cloud) -> tuple[int | None, int | None, int]:
    return aws.service.least, aws.service.most, aws.service.desired


def test_read_tells_bounds_and_counts(aws: Cloud, kind: EcsService) -> None:
    reading = kind.read()

    assert reading.state == {"min": 2, "max": 20, "desired": 2, "steered": False}
    assert (reading.size, reading.serving, reading.moving) == (2, 2, False)
    assert aws.asked("UpdateService", "RegisterScalableTarget") == []


def test_a_service_grows_beyond_its_upper_bound_and_comes_back_exactly(aws: Cloud, kind: EcsService) -> None:
    aws.service.pace, aws.service.balanced, aws.service.ill = 9, True, 3
    baseline = kind.read().state

    up = bring(kind, kind.state_for(40, baseline=baseline))

    assert bounds_and_count(aws) == (40, 40, 40)
    assert up.readings[-1].serving == 40
    assert not any(kind.is_ready(reading, kind.state_for(40, baseline=baseline)) for reading in up.readings[:-1])

    bring(kind, baseline)

    assert bounds_and_count(aws) == (2, 20, 2)
    assert kind.read().state == baseline


def test_the_lower_bound_alone_moves_nothing_so_the_count_is_set_too(aws: Cloud, kind: EcsService) -> None:
    kind.apply(kind.state_for(15, baseline=kind.read().state), key="one")

    assert aws.asked("UpdateService", "RegisterScalableTarget") == ["RegisterScalableTarget", "UpdateService"]
    assert bounds_and_count(aws) == (15, 20, 15)


def test_on_the_way_down_the_count_comes_first(aws: Cloud, kind: EcsService) -> None:
    baseline = kind.read().state
    bring(kind, kind.state_for(15, baseline=baseline))
    aws.calls.clear()

    kind.apply(baseline, key="two")

    assert aws.asked("UpdateService", "RegisterScalableTarget") == ["UpdateService", "RegisterScalableTarget"]


@pytest.mark.parametrize("policies", [False, True])
@pytest.mark.parametrize("call", [("RegisterScalableTarget", 15), ("UpdateService", 15), ("UpdateService", 40)])
@pytest.mark.parametrize("fault", ["ServerException", "lost", "lie"])
def test_what_failed_half_way_is_seen_as_ours_and_mended(
    aws: Cloud, kind: EcsService, policies: bool, call: tuple[str, int], fault: str
) -> None:
    operation, size = call
    aws.service.policies = policies
    baseline = kind.read().state
    state = kind.state_for(size, baseline=baseline)
    for before, after in ((baseline, state), (state, baseline)):
        aws.fault(operation, fault, status=500)
        with contextlib.suppress(OutcomeUnclear):
            kind.apply(after, key="one")
        live = kind.read().state

        assert any(kind.is_same(live, one) for one in (before, after)) or kind.is_between(
            live, before=before, after=after
        )
        bring(kind, after)
    assert bounds_and_count(aws)[:2] == (2, 20)
    assert aws.service.desired == 2


def test_a_service_without_bounds_is_counted_alone(aws: Cloud, kind: EcsService) -> None:
    aws.service.least = aws.service.most = None
    baseline = kind.read().state

    bring(kind, kind.state_for(9, baseline=baseline))
    assert aws.service.desired == 9
    bring(kind, baseline)

    assert aws.service.desired == 2
    assert aws.asked("RegisterScalableTarget") == []


def test_policies_may_go_on_counting_upwards(aws: Cloud, kind: EcsService) -> None:
    aws.service.policies = True
    baseline = kind.read().state
    state = kind.state_for(12, baseline=baseline)
    bring(kind, state)

    aws.service.desired = 17  # the policies' doing
    busy = kind.read()
    again = kind.state_for(14, baseline=baseline)
    kind.apply(again, key="two")

    assert kind.is_same(busy.state, state)
    assert kind.is_ready(busy, state)
    assert bounds_and_count(aws) == (14, 20, 17)
    assert min(aws.seen) == 12


@pytest.mark.parametrize("change", [{"least": 1}, {"most": 99}, {"desired": 7}])
def test_what_somebody_else_changed_is_not_the_same(aws: Cloud, kind: EcsService, change: dict[str, int]) -> None:
    baseline = kind.read().state
    state = kind.state_for(15, baseline=baseline)
    bring(kind, state)

    for name, value in change.items():
        setattr(aws.service, name, value)
    live = kind.read().state

    assert not kind.is_same(live, state)
    assert not kind.is_same(live, baseline)
    assert not kind.is_between(live, before=baseline, after=state)


def test_a_plan_below_the_baseline_lowers_nothing(aws: Cloud, kind: EcsService) -> None:
    aws.service.least, aws.service.desired = 5, 8

    assert kind.state_for(3, baseline=kind.read().state) == {"min": 5, "max": 20, "desired": 8, "steered": False}


@pytest.mark.parametrize(
    ("why", "help_"),
    [
        ("You've reached the limit on the number of vCPUs you can run concurrently", "vCPU quota raised"),
        ("Your subnet has no free IP addresses", "subnets with free addresses"),
        ("The closest matching container-instance is too small", "See the events"),
    ],
)
def test_tasks_that_find_no_place_are_told_with_what_helps(aws: Cloud, kind: EcsService, why: str, help_: str) -> None:
    aws.service.room, aws.service.why = 11, why
    kind.apply(kind.state_for(15, baseline=kind.read().state), key="one")

    reading = kind.read()

    assert (reading.serving, reading.moving) == (11, True)
    assert reading.message.startswith("11 of 15 tasks serve. ")
    assert help_ in reading.message


def test_a_daemon_is_refused(aws: Cloud, kind: EcsService) -> None:
    aws.service.daemon = True

    with pytest.raises(ApplyRefused, match="one task per machine"):
        kind.read()


def test_an_unknown_service_is_refused(aws: Cloud) -> None:
    with pytest.raises(ApplyRefused, match="There is no ECS service shop/other in eu-central-1"):
        EcsService(locator=WHERE | {"service": "other"}).read()


def test_a_count_that_was_accepted_and_not_taken_is_unknown(aws: Cloud, kind: EcsService) -> None:
    baseline = kind.read().state
    bring(kind, kind.state_for(15, baseline=baseline))
    aws.fault("UpdateService", "lie")

    with pytest.raises(OutcomeUnclear, match="accepted a count of 2 for shop/web and still says 15"):
        kind.apply(baseline, key="one")
    assert bounds_and_count(aws) == (15, 20, 15)


def test_check_names_each_field_that_cannot_be() -> None:
    with pytest.raises(BadLocator) as caught:
        EcsService.check({"region": "Frankfurt", "cluster": "arn:aws:ecs:eu-central-1:1:cluster/shop", "service": 7})

    assert caught.value.errors == {
        "region": "Give a region of AWS, such as eu-central-1.",
        "cluster": "Give the ECS cluster by its name, not an address or ARN.",
        "service": "Give the ECS service by its name, not an address or ARN.",
    }
    EcsService.check(WHERE)


def test_resource_is_the_same_for_the_same_service() -> None:
    assert EcsService.resource(
        {"region": " eu-central-1", "cluster": "shop ", "service": "web"}
    ) == EcsService.resource(WHERE)


def test_tasks_that_are_not_healthy_do_not_count(aws: Cloud, kind: EcsService) -> None:
    aws.service.balanced, aws.service.ill = True, 2
    state = kind.state_for(9, baseline=kind.read().state)
    kind.apply(state, key="one")

    aws.service.ill = 2
    ill, well = kind.read(), [kind.read(), kind.read()][-1]

    assert (ill.serving, ill.moving, kind.is_ready(ill, state)) == (7, False, False)
    assert (well.serving, kind.is_ready(well, state)) == (9, True)
