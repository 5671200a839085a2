"""Provisioned concurrency of a Lambda alias."""

import pytest

from drops.scaling.providers import ApplyRefused, BadLocator
from drops.scaling.providers.aws.lambda_ import LambdaConcurrency
from tests.drops.scaling.aws_cloud import Cloud
from tests.drops.scaling.providers.converging import bring

WHERE = {"region": "eu-central-1", "function": "pay", "alias": "live"}


@pytest.fixture
def kind() -> LambdaConcurrency:
    return LambdaConcurrency(locator=WHERE)


@pytest.mark.parametrize("before", [0, 5])
def test_an_alias_grows_at_its_pace_and_comes_back_exactly(aws: Cloud, kind: LambdaConcurrency, before: int) -> None:
    aws.function.wanted, aws.function.pace = before, 20
    baseline = kind.read().state

    up = bring(kind, kind.state_for(50, baseline=baseline))
    assert [reading.serving for reading in up.readings] == [before, *([20, 40, 50] if not before else [25, 45, 50])]
    bring(kind, baseline)

    assert (aws.function.wanted, aws.function.there) == (before, before)
    assert kind.read().state == {"concurrency": before}
    assert len(aws.asked("DeleteProvisionedConcurrencyConfig")) == (not before)


def test_an_accepted_call_that_did_nothing_is_asked_again(aws: Cloud, kind: LambdaConcurrency) -> None:
    aws.fault("PutProvisionedConcurrencyConfig", "lie", times=2)

    bring(kind, {"concurrency": 5})

    assert aws.function.wanted == 5


def test_an_answer_that_was_lost_is_read_back(aws: Cloud, kind: LambdaConcurrency) -> None:
    aws.fault("PutProvisionedConcurrencyConfig", "lost")

    way = bring(kind, {"concurrency": 5})

    assert len(way.faults) == 1
    assert aws.asked("PutProvisionedConcurrencyConfig") == ["PutProvisionedConcurrencyConfig"]


def test_the_accounts_concurrency_is_told_as_a_quota(aws: Cloud, kind: LambdaConcurrency) -> None:
    with pytest.raises(ApplyRefused, match="An AWS quota is used up: Specified ConcurrentExecutions"):
        kind.apply({"concurrency": 901}, key="one")


def test_a_function_that_does_not_start_is_told(aws: Cloud, kind: LambdaConcurrency) -> None:
    aws.function.gives_up = "FUNCTION_ERROR_INIT_FAILURE"
    kind.apply({"concurrency": 5}, key="one")

    reading = kind.read()

    assert not kind.is_ready(reading, {"concurrency": 5})
    assert "Lambda gave up: FUNCTION_ERROR_INIT_FAILURE." in reading.message


def test_an_alias_of_latest_is_refused(aws: Cloud, kind: LambdaConcurrency) -> None:
    aws.function.version = "$LATEST"

    with pytest.raises(ApplyRefused, match="points at \\$LATEST"):
        kind.read()


def test_an_unknown_alias_is_refused(aws: Cloud) -> None:
    with pytest.raises(ApplyRefused, match="There is no alias other of function pay in eu-central-1"):
        LambdaConcurrency(locator=WHERE | {"alias": "other"}).read()


def test_check_refuses_a_version_for_an_alias() -> None:
    with pytest.raises(BadLocator) as caught:
        LambdaConcurrency.check(WHERE | {"alias": "7"})

    assert list(caught.value.errors) == ["alias"]
