"""Provisioned concurrency of a Lambda alias."""

import pytest

from drops.scaling.providers import ApplyRefused, BadLocator
from drops.scaling.providers.aws.lambda_ import LambdaConcurrency
from tests.drops.scaling.aws_cloud import Cloud
from tests.drops.scaling.providers.converging import bring

LOCATOR = {"region": "eu-central-1", "function": "pay", "alias": "live"}


@pytest.fixture
def provider() -> LambdaConcurrency:
    return LambdaConcurrency(locator=LOCATOR)


@pytest.mark.parametrize("before", [0, 5])
def test_an_alias_grows_gradually_and_is_restored_exactly(
    aws: Cloud, provider: LambdaConcurrency, before: int
) -> None:
    aws.function.requested, aws.function.started_per_read = before, 20
    baseline = provider.read().state

    up = bring(provider, provider.state_for(50, baseline=baseline))
    assert [reading.serving for reading in up.readings] == [
        before,
        *([20, 40, 50] if not before else [25, 45, 50]),
    ]
    bring(provider, baseline)

    assert (aws.function.requested, aws.function.available) == (before, before)
    assert provider.read().state == {"concurrency": before}
    assert len(aws.calls_of("DeleteProvisionedConcurrencyConfig")) == (not before)


def test_an_accepted_call_without_effect_is_repeated(aws: Cloud, provider: LambdaConcurrency) -> None:
    aws.fault("PutProvisionedConcurrencyConfig", "lie", times=2)

    bring(provider, {"concurrency": 5})

    assert aws.function.requested == 5


def test_a_call_whose_response_was_lost_is_read_back(aws: Cloud, provider: LambdaConcurrency) -> None:
    aws.fault("PutProvisionedConcurrencyConfig", "lost")

    way = bring(provider, {"concurrency": 5})

    assert len(way.faults) == 1
    assert aws.calls_of("PutProvisionedConcurrencyConfig") == ["PutProvisionedConcurrencyConfig"]


def test_the_accounts_concurrency_is_reported_as_a_quota(aws: Cloud, provider: LambdaConcurrency) -> None:
    with pytest.raises(ApplyRefused, match="An AWS quota is used up: Specified ConcurrentExecutions"):
        provider.apply({"concurrency": 901}, key="one")


def test_a_function_that_does_not_start_is_reported(aws: Cloud, provider: LambdaConcurrency) -> None:
    aws.function.failure = "FUNCTION_ERROR_INIT_FAILURE"
    provider.apply({"concurrency": 5}, key="one")

    reading = provider.read()

    assert not provider.is_ready(reading, {"concurrency": 5})
    assert "Lambda gave up: FUNCTION_ERROR_INIT_FAILURE." in reading.message


def test_an_alias_of_latest_is_refused(aws: Cloud, provider: LambdaConcurrency) -> None:
    aws.function.version = "$LATEST"

    with pytest.raises(ApplyRefused, match="points to \\$LATEST"):
        provider.read()


def test_an_unknown_alias_is_refused(aws: Cloud) -> None:
    with pytest.raises(ApplyRefused, match="There is no alias other of function pay in eu-central-1"):
        LambdaConcurrency(locator=LOCATOR | {"alias": "other"}).read()


def test_check_refuses_a_version_for_an_alias() -> None:
    with pytest.raises(BadLocator) as caught:
        LambdaConcurrency.check(LOCATOR | {"alias": "7"})

    assert list(caught.value.errors) == ["alias"]
