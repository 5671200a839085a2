"""Stripe's error answers: status, body and headers."""

from collections.abc import Mapping
from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"


class ApiError(Exception):
    """An answer other than 200.

    `saved`: the request's idempotency key keeps it. `commits`: what the request did until then stays done.
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
        if code := self.error.get("code"):
            self.error.setdefault("doc_url", DOCS + code.replace("_", "-"))


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> ApiError:
    """A request that cannot be understood. As at Stripe, its idempotency key stays free: nothing was begun."""
    return ApiError(400, saved=False, type="invalid_request_error", message=message, code=code, param=param)


def refused(message: str, *, code: str | None = None, param: str | None = None, commits: bool = False) -> ApiError:
    """A request that was understood and that the rules forbid: its answer is kept."""
    return ApiError(400, commits=commits, type="invalid_request_error", message=message, code=code, param=param)


def missing(kind: str, identity: str, *, param: str, status: int = 404, hint: str = "") -> ApiError:
    """No such object; 404 when the address names it, 400 when a parameter does."""
    message = f"No such {kind}: '{identity}'{hint}"
    return ApiError(status, type="invalid_request_error", code="resource_missing", message=message, param=param)


def unexpected_state(message: str, *, intent: dict[str, Any]) -> ApiError:
    return ApiError(
        400,
        type="invalid_request_error",
        code="payment_intent_unexpected_state",
        message=message,
        payment_intent=intent,
    )


def card(*, code: str, message: str, param: str | None = None, saved: bool = True, **fields: Any) -> ApiError:
    return ApiError(402, saved=saved, type="card_error", code=code, message=message, param=param, **fields)


def no_key() -> ApiError:
    return ApiError(
        401,
        saved=False,
        headers={"WWW-Authenticate": 'Basic realm="Stripe"'},
        type="invalid_request_error",
        message="You did not provide an API key. You need to provide your API key in the Authorization header, "
        "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
    )


def foreign_key(key: str) -> ApiError:
    shown = f"{key[:8]}{'*' * max(len(key) - 12, 4)}{key[-4:]}" if len(key) > 12 else "*" * len(key)
    return ApiError(
        401,
        saved=False,
        headers={"WWW-Authenticate": 'Basic realm="Stripe"'},
        type="invalid_request_error",
        message=f"Invalid API Key provided: {shown}",
    )


def secret_key_required() -> ApiError:
    return ApiError(
        403,
        saved=False,
        type="invalid_request_error",
        code="secret_key_required",
        message="This API call cannot be made with a publishable API key. Please use a secret API key.",
    )


def unknown_address(method: str, path: str) -> ApiError:
    return ApiError(
        404,
        saved=False,
        type="invalid_request_error",
        message=f"Unrecognized request URL ({method}: {path}). The sandbox carries what its README lists.",
    )


def key_mismatch(key: str, *, path: str | None = None) -> ApiError:
    """The key has been used with other parameters, or (with `path`) for another address."""
    what = (
        f"for the same endpoint they were first used for ('{path}')"
        if path
        else ("with the same parameters they were first used with")
    )
    return ApiError(
        400,
        saved=False,
        type="idempotency_error",
        message=f"Keys for idempotent requests can only be used {what}. "
        f"Try using a key other than '{key}' if you meant to execute a different request.",
    )


def key_in_use(key: str) -> ApiError:
    return ApiError(
        409,
        saved=False,
        type="idempotency_error",
        code="idempotency_key_in_use",
        message=f"There is currently another in-progress request using this Idempotent Key ({key}). "
        "Please try again later.",
    )


def locked() -> ApiError:
    return ApiError(
        429,
        saved=False,
        headers={"Stripe-Should-Retry": "true"},
        type="invalid_request_error",
        code="lock_timeout",
        message="This object cannot be accessed right now because another API request or Stripe process is "
        "currently accessing it. If you see this error intermittently, retry the request.",
    )


def too_fast(reason: str) -> ApiError:
    return ApiError(
        429,
        saved=False,
        headers={"Stripe-Rate-Limited-Reason": reason, "Stripe-Should-Retry": "false"},
        type="invalid_request_error",
        code="rate_limit",
        message="Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
    )


def unknown_fault(*, saved: bool) -> ApiError:
    return ApiError(500, saved=saved, type="api_error", message="An unknown error occurred")
