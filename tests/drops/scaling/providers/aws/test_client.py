"""AWS's error responses, and boto3's errors without a response, as sentences for ops."""

import sys
from typing import Any

import pytest

from drops.scaling.providers import ApplyRefused, ExtraNotInstalled, OutcomeUnclear
from drops.scaling.providers.aws.aurora_serverless import AuroraServerless
from drops.scaling.providers.aws.ecs import EcsService
from drops.scaling.providers.aws.errors import bare_code, shortened
from drops.scaling.providers.aws.lambda_ import LambdaConcurrency
from tests.drops.scaling.aws_cloud import Cloud

REGION = "eu-central-1"
ECS = EcsService, {"region": REGION, "cluster": "shop", "service": "web"}, "DescribeServices"
RDS = AuroraServerless, {"region": REGION, "cluster": "shop"}, "DescribeDBClusters"
CLOUDWATCH = AuroraServerless, {"region": REGION, "cluster": "shop"}, "GetMetricData"
LAMBDA = LambdaConcurrency, {"region": REGION, "function": "pay", "alias": "live"}, "GetAlias"
SERVICES = pytest.mark.parametrize(
    "called", [ECS, RDS, CLOUDWATCH, LAMBDA], ids=["ecs", "rds", "cloudwatch", "lambda"]
)


def fault_of(
    cloud: Cloud,
    called: tuple[type[Any], dict[str, str], str],
    kind: str,
    message: str = "No.",
    *,
    status: int = 400,
) -> tuple[Any, Any]:
    """Read a target whose service fails; return what was raised, and the calls of that operation."""
    for instance in cloud.instances.values():
        instance.instance_class = "db.serverless"
    make, locator, operation = called
    cloud.fault(operation, kind, message, status=status, times=99)
    with pytest.raises((ApplyRefused, OutcomeUnclear)) as caught:
        make(locator=locator).read()
    return caught.value, cloud.calls_of(operation)


@SERVICES
@pytest.mark.parametrize(
    ("response", "error", "sentence"),
    [
        (("ThrottlingException", 400), OutcomeUnclear, "AWS is throttling"),
        (("TooManyRequestsException", 429), OutcomeUnclear, "AWS is throttling"),
        (("InternalFailure", 500), OutcomeUnclear, "AWS failed at"),
        (("ServiceUnavailable", 503), OutcomeUnclear, "AWS failed at"),
        (("ExpiredTokenException", 403), ApplyRefused, "The AWS credentials have expired (ExpiredToken)."),
        (("RequestExpired", 400), ApplyRefused, "Correct this machine's clock."),
        (
            ("UnrecognizedClientException", 400),
            ApplyRefused,
            "AWS in eu-central-1 doesn't know these credentials",
        ),
        (("SignatureDoesNotMatch", 403), ApplyRefused, "AWS in eu-central-1 doesn't know these credentials"),
        (("LimitExceededException", 400), ApplyRefused, "An AWS quota is used up: No."),
        (("InvalidDBClusterStateFault", 400), OutcomeUnclear, "AWS is still busy with"),
        (
            ("InsufficientDBInstanceCapacity", 400),
            OutcomeUnclear,
            "AWS has no capacity of this class at the moment (No).",
        ),
        (("OddException", 400), ApplyRefused, "AWS refuses"),
    ],
)
def test_an_error_is_a_sentence_and_is_not_retried(
    aws: Cloud,
    called: tuple[type[Any], dict[str, str], str],
    response: tuple[str, int],
    error: Any,
    sentence: str,
) -> None:
    code, status = response
    fault, asked = fault_of(aws, called, code, status=status)

    assert type(fault) is error
    assert sentence in str(fault)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("called", "action"),
    [
        (ECS, "ecs:DescribeServices"),
        (RDS, "rds:DescribeDBClusters"),
        (CLOUDWATCH, "cloudwatch:GetMetricData"),
        (LAMBDA, "lambda:GetAlias"),
    ],
)
def test_a_missing_permission_names_its_action(aws: Cloud, called: Any, action: str) -> None:
    fault, _asked = fault_of(aws, called, "AccessDeniedException", status=403)

    assert type(fault) is ApplyRefused
    assert f"AWS doesn't allow {action} on" in str(fault)


def test_a_missing_permission_is_named_as_aws_names_it(aws: Cloud) -> None:
    message = "User: arn:aws:iam::1:user/x is not authorized to perform: lambda:GetFunction on resource: y"

    fault, _asked = fault_of(aws, LAMBDA, "AccessDeniedException", message, status=403)

    assert "AWS doesn't allow lambda:GetFunction on alias live of function pay." in str(fault)


@SERVICES
def test_an_unreadable_response_is_unclear(aws: Cloud, called: tuple[type[Any], dict[str, str], str]) -> None:
    fault, _asked = fault_of(aws, called, "garbage")

    assert type(fault) is OutcomeUnclear
    assert "can't be read" in str(fault)


@SERVICES
def test_a_lost_response_is_unclear(aws: Cloud, called: tuple[type[Any], dict[str, str], str]) -> None:
    fault, _asked = fault_of(aws, called, "lost")

    assert type(fault) is OutcomeUnclear
    assert str(fault).startswith("No response from AWS to ")


@SERVICES
def test_a_service_that_hangs_is_not_waited_for(
    aws: Cloud, called: tuple[type[Any], dict[str, str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drops.scaling.providers.aws.client.READ_SECONDS", 0.2)

    fault, asked = fault_of(aws, called, "hang")

    assert type(fault) is OutcomeUnclear
    assert "ReadTimeout" in str(fault)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("called", "sentence"),
    [
        (ECS, "There is no ECS service shop/web in eu-west-9"),
        (RDS, "There is no Aurora cluster shop in eu-west-9"),
        (LAMBDA, "There is no alias live of function pay in eu-west-9"),
    ],
)
def test_the_wrong_region_is_named(aws: Cloud, called: Any, sentence: str) -> None:
    make, locator, _operation = called

    with pytest.raises(ApplyRefused, match=sentence):
        make(locator=locator | {"region": "eu-west-9"}).read()


def test_an_unknown_region_is_refused(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")  # nothing listens there

    with pytest.raises(ApplyRefused, match="boto3 doesn't know the region eu-west-9"):
        EcsService(locator=ECS[1] | {"region": "eu-west-9"}).read()
    with pytest.raises(OutcomeUnclear, match="No response from AWS to ecs:DescribeServices"):
        EcsService(locator=ECS[1]).read()


def test_missing_credentials_are_refused(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    with pytest.raises(ApplyRefused, match="There are no AWS credentials"):
        EcsService(locator=ECS[1]).read()


def test_an_unknown_profile_is_refused(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "other")

    with pytest.raises(ApplyRefused, match="There are no AWS credentials"):
        EcsService(locator=ECS[1]).read()


def test_an_invalid_endpoint_is_refused(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "not an address")

    with pytest.raises(ApplyRefused, match="AWS_ENDPOINT_URL"):
        EcsService(locator=ECS[1]).read()


def test_parameters_that_boto3_does_not_send_are_refused(aws: Cloud) -> None:
    with pytest.raises(ApplyRefused, match="boto3 refuses to send lambda:PutProvisionedConcurrencyConfig"):
        LambdaConcurrency(locator=LAMBDA[1]).apply({"concurrency": -1}, key="one")


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)

    with pytest.raises(ExtraNotInstalled, match='Install the extra "aws"'):
        EcsService(locator=ECS[1]).read()


def test_time_outs_are_short_and_nothing_is_retried(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")

    config = EcsService(locator=ECS[1])._client("ecs").meta.config

    assert (config.connect_timeout, config.read_timeout) == (2.0, 8.0)
    assert config.retries["total_max_attempts"] == 1


def test_bare_code_drops_prefix_and_suffix() -> None:
    codes = (
        "aws#ThrottlingException:http://x",
        "InvalidDBClusterStateFault",
        "com.x#LimitExceededException",
        "Odd",
    )

    assert [bare_code(code) for code in codes] == [
        "Throttling",
        "InvalidDBClusterState",
        "LimitExceeded",
        "Odd",
    ]


def test_shortened_cuts_a_long_message() -> None:
    assert shortened("a\n b. ") == "a b"
    assert len(shortened("x" * 999)) == 110
