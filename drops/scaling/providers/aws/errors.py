"""What AWS answers when it does not do what it was asked, as sentences for ops.

Refused: somebody must act (no such thing, no permission, quota, credentials, region). Unknown: the next tick asks
again (throttled, busy, 5xx, no answer, an answer that can't be read). Boto3 is an extra, so that this module looks at
names of errors and imports none of them.
"""

import re
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.base import ApplyRefused, OutcomeUnclear, ProviderError

SHORT = 110  # characters of AWS's own words that are shown

EXPIRED = {"ExpiredToken", "TokenRefreshRequired", "UnauthorizedSSOToken", "SSOTokenLoad", "TokenRetrieval"}
LATE = {"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture"}
STRANGE = {
    "AuthFailure", "IncompleteSignature", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSignature",
    "InvalidToken", "MissingAuthenticationToken", "SignatureDoesNotMatch", "UnrecognizedClient",
}  # fmt: skip
DENIED = {"AccessDenied", "FailedResourceAccess", "NotAuthorized", "OptInRequired", "UnauthorizedOperation"}
ABSENT = {
    "ClusterNotFound", "DBClusterNotFound", "DBInstanceNotFound", "ObjectNotFound", "ResourceNotFound",
    "ServiceNotActive", "ServiceNotFound", "TargetGroupNotFound",
}  # fmt: skip
NOTHING = {"ProvisionedConcurrencyConfigNotFound"}
QUOTA = {
    "InstanceQuotaExceeded", "InstanceLimitExceeded", "LimitExceeded", "ServiceQuotaExceeded", "StorageQuotaExceeded",
}  # fmt: skip
SOLD_OUT = {"InsufficientDBInstanceCapacity", "InsufficientDBClusterCapacity"}
THROTTLED = {
    "BandwidthLimitExceeded", "PriorRequestNotComplete", "RequestLimitExceeded", "RequestThrottled", "SlowDown",
    "Throttled", "Throttling", "TooManyRequests",
}  # fmt: skip
BUSY = {
    "ConcurrentUpdate", "InvalidDBClusterState", "InvalidDBInstanceState", "ResourceConflict", "ResourceInUse",
    "UpdateInProgress",
}  # fmt: skip
BROKEN = {
    "Internal", "InternalFailure", "InternalServer", "InternalService", "Server", "Service", "ServiceUnavailable",
}  # fmt: skip
ENOUGH = re.compile(r"concurren\w+ (below|greater)|(Unr|r)eservedConcurrent|quota|limit exceeded", re.IGNORECASE)
ACTION = re.compile(r"perform:? ([a-z0-9-]+:\w+)")
PREFIXES = {"elbv2": "elasticloadbalancing"}  # where IAM's word is not boto3's

USED_UP = gettext_noop("An AWS quota is used up: %(said)s. Have it raised in Service Quotas, or lower the ceiling.")
OTHERWISE = gettext_noop("AWS refuses %(action)s on %(thing)s: %(code)s %(said)s.")
GONE = gettext_noop("The AWS credentials have expired (%(code)s). Renew them; if they are variables, start anew.")
REFUSALS = (
    (EXPIRED, GONE),
    (LATE, gettext_noop("AWS says that the call came too late (%(code)s). Set this machine's clock.")),
    (
        STRANGE,
        gettext_noop(
            "AWS in %(region)s does not know these credentials (%(code)s). Check the key and its secret, and that the "
            "region is enabled for the account."
        ),
    ),
    (
        DENIED,
        gettext_noop(
            "AWS does not allow %(action)s on %(thing)s. Allow this action to the role or user that the workers run as."
        ),
    ),
    (
        ABSENT | NOTHING,
        gettext_noop("There is no %(thing)s in %(region)s: %(said)s. Look whether the name or the region is wrong."),
    ),
    (QUOTA, USED_UP),
)


class Nothing(ApplyRefused):
    """Not there, which is how some services answer that nothing is set."""


def of_answer(answer: Any, *, service: str, operation: str, region: str, thing: str) -> ProviderError:
    """Make a sentence of an error that AWS answered: `answer` is botocore's ClientError.response."""
    error, meta = answer.get("Error") or {}, answer.get("ResponseMetadata") or {}
    code, said = plain(str(error.get("Code", ""))), shortened(str(error.get("Message") or error.get("message") or ""))
    told = {"code": code, "said": said, "region": region, "thing": thing, "action": action(service, operation, error)}
    status = int(meta.get("HTTPStatusCode") or 0)
    if code in THROTTLED or status == 429:
        return OutcomeUnclear(_("AWS is asked too often (%(action)s: %(code)s). It is asked again, later.") % told)
    if code in BROKEN or status >= 500:
        return OutcomeUnclear(_("AWS failed at %(action)s: %(code)s %(said)s. It is asked again.") % told)
    if code in BUSY:
        return OutcomeUnclear(_("AWS is still busy with %(thing)s: %(said)s. It is asked again.") % told)
    if code in SOLD_OUT:
        return OutcomeUnclear(
            _("AWS has none of this class to spare now (%(said)s). It is asked again; another class may be had.") % told
        )
    return _refusal(code, told)


def _refusal(code: str, told: dict[str, str]) -> ApplyRefused:
    words = next((words for codes, words in REFUSALS if code in codes), "")
    if not words:
        words = USED_UP if ENOUGH.search(told["said"]) else OTHERWISE
    kind = Nothing if code in NOTHING else ApplyRefused
    return kind(_(words) % told)


def of_failure(
    error: Exception, *, service: str, operation: str, region: str, known: Callable[[], bool]
) -> ProviderError:
    """Make a sentence of a call without an answer: `error` is one of botocore's; `known()`: it knows the region."""
    kind, said = plain(type(error).__name__), shortened(str(error))
    told = {"kind": kind, "said": said, "region": region, "action": action(service, operation, {})}
    if kind in {"NoCredentials", "PartialCredentials", "ProfileNotFound"}:
        return ApplyRefused(
            _(
                "There are no AWS credentials (%(said)s). Give the workers AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, a profile, or a role."
            )
            % told
        )
    if kind in EXPIRED:
        return ApplyRefused(_(GONE) % {"code": kind})
    if kind == "EndpointConnection" and not known():
        return ApplyRefused(_("boto3 knows no region %(region)s, and nothing answers there. Check its name.") % told)
    if kind in {"ParamValidation", "InvalidRegion", "UnknownService", "DataNotFound"}:
        return ApplyRefused(_("boto3 does not send %(action)s: %(said)s.") % told)
    return OutcomeUnclear(
        _("No answer from AWS to %(action)s (%(kind)s: %(said)s). It is read back and asked again.") % told
    )


def plain(code: str) -> str:
    """Give a code without its dress: "aws#ThrottlingException:http://…" → "Throttling"."""
    bare = code.rpartition("#")[2].partition(":")[0]
    for end in ("Exception", "Fault", "Error"):
        if bare.endswith(end):
            return bare.removesuffix(end)
    return bare


def action(service: str, operation: str, error: Any) -> str:
    """Name what must be allowed, as IAM spells it: from AWS's own words, else made of the call."""
    found = ACTION.search(str(error.get("Message") or error.get("message") or ""))
    return found[1] if found else f"{PREFIXES.get(service, service)}:{''.join(map(_capital, operation.split('_')))}"


def _capital(word: str) -> str:
    return "DB" if word == "db" else word[:1].upper() + word[1:]


def shortened(said: str) -> str:
    """Give AWS's words on one line, and not all of a long one; no full stop, which the sentence around it brings."""
    line = " ".join(said.split())
    return (line if len(line) <= SHORT else line[: SHORT - 1] + "…").rstrip(".")
