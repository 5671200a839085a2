"""Stripe's error responses: status, body and headers. The messages are Stripe's own where it has one."""

from collections.abc import Mapping
from typing import Any

ERROR_CODE_DOCS = "https://stripe.com/docs/error-codes/"


class ApiError(Exception):
    """A response other than 200.

    `saved`: the request's idempotency key keeps the response.
    `commits`: what the request has changed so far is committed nevertheless.
    """

    def __init__(
        self,
        status: int,
        *,
        saved: bool = True,
        commits: bool = False,
        headers: Mapping[str, str] | None = None,
        **error: Any,
    ) -> None:
        super().__init__(error.get("message", ""))
        self.status = status
        self.saved = saved
        self.commits = commits
        self.headers = dict(headers or {})
        self.error = {name: value for name, value in error.items() if value is not None}
        if "code" in self.error:
            self.error.setdefault("doc_url", doc_url(self.error["code"]))


def doc_url(code: str) -> str:
    return ERROR_CODE_DOCS + code.replace("_", "-")


def invalid_request(message: str, *, code: str | None = None, param: str | None = None) -> ApiError:
    """The request is malformed.

    As at Stripe, its idempotency key stays free, because execution never began.
    """
    return ApiError(400, saved=False, type="invalid_request_error", message=message, code=code, param=param)


def rejected(
    message: str, *, code: str | None = None, param: str | None = None, commits: bool = False
) -> ApiError:
    """The request is well-formed but not allowed. Its idempotency key keeps the response."""
    return ApiError(
        400, commits=commits, type="invalid_request_error", message=message, code=code, param=param
    )


def resource_missing(noun: str, object_id: str, *, param: str, status: int = 404, hint: str = "") -> ApiError:
    """There is no such object: 404 if it is in the URL, 400 if it is in a parameter."""
    message = f"No such {noun}: '{object_id}'{hint}"
    return ApiError(
        status, type="invalid_request_error", code="resource_missing", message=message, param=param
    )


def unexpected_state(message: str, *, intent: dict[str, Any]) -> ApiError:
    return ApiError(
        400,
        type="invalid_request_error",
        code="payment_intent_unexpected_state",
        message=message,
        payment_intent=intent,
    )


def card_error(
    *, code: str, message: str, param: str | None = None, saved: bool = True, **fields: Any
) -> ApiError:
    return ApiError(402, saved=saved, type="card_error", code=code, message=message, param=param, **fields)


def missing_api_key() -> ApiError:
    return ApiError(
        401,
        saved=False,
        headers={"WWW-Authenticate": 'Basic realm="Stripe"'},
        type="invalid_request_error",
        message="You did not provide an API key. You need to provide your API key in the Authorization "
        "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
    )


def invalid_api_key(key: str) -> ApiError:
    """The key isn't this account's. The message shows its first 8 and last 4 characters, as at Stripe."""
    masked = "*" * len(key)
    if len(key) > 12:
        masked = key[:8] + "*" * max(len(key) - 12, 4) + key[-4:]
    return ApiError(
        401,
        saved=False,
        headers={"WWW-Authenticate": 'Basic realm="Stripe"'},
        type="invalid_request_error",
        message=f"Invalid API Key provided: {masked}",
    )


def secret_key_required() -> ApiError:
    return ApiError(
        403,
        saved=False,
        type="invalid_request_error",
        code="secret_key_required",
        message="This API call cannot be made with a publishable API key. Please use a secret API key.",
    )


def unrecognized_url(method: str, path: str) -> ApiError:
    return ApiError(
        404,
        saved=False,
        type="invalid_request_error",
        message=f"Unrecognized request URL ({method}: {path}). The sandbox supports the operations in its README.",
    )


def idempotency_mismatch(key: str, *, path: str | None = None) -> ApiError:
    """The key was first used with different parameters or, if `path` is given, at that path."""
    condition = "with the same parameters they were first used with"
    if path:
        condition = f"for the same endpoint they were first used for ('{path}')"
    return ApiError(
        400,
        saved=False,
        type="idempotency_error",
        message=f"Keys for idempotent requests can only be used {condition}. "
        f"Try using a key other than '{key}' if you meant to execute a different request.",
    )


def idempotency_key_in_use(key: str) -> ApiError:
    return ApiError(
        409,
        saved=False,
        type="idempotency_error",
        code="idempotency_key_in_use",
        message=f"There is currently another in-progress request using this Idempotent Key ({key}). "
        "Please try again later.",
    )


def lock_timeout() -> ApiError:
    return ApiError(
        429,
        saved=False,
        headers={"Stripe-Should-Retry": "true"},
        type="invalid_request_error",
        code="lock_timeout",
        message="This object cannot be accessed right now because another API request or Stripe process is "
        "currently accessing it. If you see this error intermittently, retry the request.",
    )


def rate_limited(reason: str) -> ApiError:
    return ApiError(
        429,
        saved=False,
        headers={"Stripe-Rate-Limited-Reason": reason, "Stripe-Should-Retry": "false"},
        type="invalid_request_error",
        code="rate_limit",
        message="Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
    )


def unknown_error(*, saved: bool) -> ApiError:
    return ApiError(500, saved=saved, type="api_error", message="An unknown error occurred")
