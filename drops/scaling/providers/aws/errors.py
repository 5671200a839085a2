"""AWS's errors as sentences for ops.

ApplyRefused: somebody must act (no such resource, no permission, quota, credentials, region). OutcomeUnclear:
the next tick tries again (throttled, busy, 5xx, no response, an unreadable one). boto3 is an optional extra,
so this module compares the names of errors and imports none of them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drops.scaling.providers.base import ApplyRefused, OutcomeUnclear, ProviderError, one_line

MAX_SHOWN_CHARACTERS = 110  # of AWS's own message

EXPIRED_CODES = {
    "ExpiredToken",
    "TokenRefreshRequired",
    "UnauthorizedSSOToken",
    "SSOTokenLoad",
    "TokenRetrieval",
}
CLOCK_CODES = {"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"}
UNKNOWN_CREDENTIALS_CODES = {
    "AuthFailure", "IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignature",
    "InvalidToken", "MissingAuthenticationToken", "SignatureDoesNotMatch", "UnrecognizedClient",
}  # fmt: skip
DENIED_CODES = {
    "AccessDenied",
    "FailedResourceAccess",
    "NotAuthorized",
    "OptInRequired",
    "UnauthorizedOperation",
}
NOT_FOUND_CODES = {
    "ClusterNotFound", "DBClusterNotFound", "DBInstanceNotFound", "ObjectNotFound", "ResourceNotFound",
    "ServiceNotActive", "ServiceNotFound", "TargetGroupNotFound",
}  # fmt: skip
NOT_CONFIGURED_CODES = {"ProvisionedConcurrencyConfigNotFound"}
QUOTA_CODES = {
    "InstanceQuotaExceeded", "InstanceLimitExceeded", "LimitExceeded", "ServiceQuotaExceeded", "StorageQuotaExceeded",
}  # fmt: skip
NO_CAPACITY_CODES = {"InsufficientDBInstanceCapacity", "InsufficientDBClusterCapacity"}
THROTTLING_CODES = {
    "BandwidthLimitExceeded", "PriorRequestNotComplete", "RequestLimitExceeded", "RequestThrottled", "SlowDown",
    "Throttled", "Throttling", "TooManyRequests",
}  # fmt: skip
BUSY_CODES = {
    "ConcurrentUpdate", "InvalidDBClusterState", "InvalidDBInstanceState", "ResourceConflict", "ResourceInUse",
    "UpdateInProgress",
}  # fmt: skip
SERVER_ERROR_CODES = {
    "Internal", "InternalFailure", "InternalServer", "InternalService", "Server", "Service", "ServiceUnavailable",
}  # fmt: skip
QUOTA_MESSAGE = re.compile(
    r"concurren\w+ (below|greater)|(Unr|r)eservedConcurrent|quota|limit exceeded", re.IGNORECASE
)
ACTION = re.compile(r"perform:? ([a-z0-9-]+:\w+)")
IAM_PREFIXES = {"elbv2": "elasticloadbalancing"}  # where IAM's name differs from boto3's


class NotConfigured(ApplyRefused):
    """Not found, which is how some services respond when nothing has been configured."""


@dataclass(frozen=True)
class AwsError:
    """One error response, with what was called and where."""

    code: str
    message: str  # AWS's own, shortened
    action: str  # as IAM names it
    region: str
    resource: str


def from_response(
    response: Any, *, service: str, operation: str, region: str, resource: str
) -> ProviderError:
    """Return the exception for an error response: botocore's ClientError.response."""
    details, metadata = response.get("Error") or {}, response.get("ResponseMetadata") or {}
    error = AwsError(
        code=bare_code(str(details.get("Code", ""))),
        message=shortened(str(details.get("Message") or details.get("message") or "")),
        action=iam_action(service, operation, details),
        region=region,
        resource=resource,
    )
    status = int(metadata.get("HTTPStatusCode") or 0)
    if error.code in THROTTLING_CODES or status == 429:
        return OutcomeUnclear(f"AWS is throttling {error.action} ({error.code}). It will be tried again.")
    if error.code in SERVER_ERROR_CODES or status >= 500:
        return OutcomeUnclear(
            f"AWS failed at {error.action}: {error.code} {error.message}. It will be tried again."
        )
    if error.code in BUSY_CODES:
        return OutcomeUnclear(
            f"AWS is still busy with {error.resource}: {error.message}. It will be tried again."
        )
    if error.code in NO_CAPACITY_CODES:
        return OutcomeUnclear(
            f"AWS has no capacity of this class at the moment ({error.message}). It will be tried again; a"
            " different class may be available."
        )
    return _refusal(error)


def _refusal(error: AwsError) -> ApplyRefused:
    """Return the exception for an error that stays until somebody acts."""
    code = error.code
    if code in EXPIRED_CODES | CLOCK_CODES | UNKNOWN_CREDENTIALS_CODES:
        return _credentials_refused(code, error.region)
    if code in DENIED_CODES:
        return ApplyRefused(
            f"AWS doesn't allow {error.action} on {error.resource}. Grant this action to the role or user"
            " that the workers run as."
        )
    if code in NOT_FOUND_CODES | NOT_CONFIGURED_CODES:
        sentence = (
            f"There is no {error.resource} in {error.region}: {error.message}. Check the name and the region."
        )
        return NotConfigured(sentence) if code in NOT_CONFIGURED_CODES else ApplyRefused(sentence)
    if code in QUOTA_CODES or QUOTA_MESSAGE.search(error.message):
        return ApplyRefused(
            f"An AWS quota is used up: {error.message}. Raise it in Service Quotas, or lower the ceiling."
        )
    return ApplyRefused(f"AWS refuses {error.action} on {error.resource}: {code} {error.message}.")


def _credentials_refused(code: str, region: str) -> ApplyRefused:
    if code in EXPIRED_CODES:
        return ApplyRefused(
            f"The AWS credentials have expired ({code}). Renew them, and restart the workers if they are"
            " environment variables."
        )
    if code in CLOCK_CODES:
        return ApplyRefused(
            f"AWS says that the request's time is wrong ({code}). Correct this machine's clock."
        )
    return ApplyRefused(
        f"AWS in {region} doesn't know these credentials ({code}). Check the key and its secret, and that"
        " the region is enabled for the account."
    )


def from_exception(
    error: Exception, *, service: str, operation: str, region: str, region_exists: Callable[[], bool]
) -> ProviderError:
    """Return the exception for a call without a response; `error` is one of botocore's."""
    name, message = bare_code(type(error).__name__), shortened(str(error))
    action = iam_action(service, operation, {})
    if name in {"NoCredentials", "PartialCredentials", "ProfileNotFound"}:
        return ApplyRefused(
            f"There are no AWS credentials ({message}). Give the workers AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY, a profile, or a role."
        )
    if name in EXPIRED_CODES:
        return _credentials_refused(name, region)
    if name == "EndpointConnection" and not region_exists():
        return ApplyRefused(
            f"boto3 doesn't know the region {region}, and nothing responds there. Check its name."
        )
    if name in {"ParamValidation", "InvalidRegion", "UnknownService", "DataNotFound"}:
        return ApplyRefused(f"boto3 refuses to send {action}: {message}. Check the target's settings.")
    return OutcomeUnclear(
        f"No response from AWS to {action} ({name}: {message}). The target will be read and the call repeated."
    )


def bare_code(code: str) -> str:
    """Return a code without prefix and suffix: "aws#ThrottlingException:http://…" → "Throttling"."""
    bare = code.rpartition("#")[2].partition(":")[0]
    for suffix in ("Exception", "Fault", "Error"):
        if bare.endswith(suffix):
            return bare.removesuffix(suffix)
    return bare


def iam_action(service: str, operation: str, error: Any) -> str:
    """Return the action that must be allowed, as IAM spells it: from AWS's message, or made from the call."""
    found = ACTION.search(str(error.get("Message") or error.get("message") or ""))
    if found:
        return found[1]
    return f"{IAM_PREFIXES.get(service, service)}:{''.join(map(_capitalised, operation.split('_')))}"


def _capitalised(word: str) -> str:
    return "DB" if word == "db" else word[:1].upper() + word[1:]


def shortened(message: str) -> str:
    """Return AWS's message on one line, shortened, without its full stop: the sentence around it has one."""
    return one_line(message, MAX_SHOWN_CHARACTERS).rstrip(".")
