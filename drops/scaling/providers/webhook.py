"""Anything else, by a signed webhook: a URL gets the desired size, another returns the observed one.

Apply: `POST url` with `{"version": 1, "url": …, "size": 8}`. The size is absolute, so that a repeated call
has no further effect; `Idempotency-Key` and `webhook-id` are the same for each repeat of a call.
Read: `GET status_url` returns `{"size": 8, "serving": 6, "moving": true, "words": "…"}`, of which the last
two may be left out: the desired size, the instances that are ready, whether a change is in progress, a
sentence for ops.
Both are signed, as shop.core.outbound does it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from django.conf import settings

from drops.scaling.providers.base import (
    Applied,
    ApplyRefused,
    BadLocator,
    Field,
    OutcomeUnclear,
    Provider,
    ProviderError,
    Reading,
    State,
    one_line,
)
from shop.core import outbound

CALL_SECONDS = 10.0  # for one call, from look-up to the last byte
MAX_SIZE = 1_000_000
MAX_SHOWN_CHARACTERS = 120  # of the receiver's own text
RETRY_STATUSES = frozenset({408, 409, 423, 425, 429})  # with these the receiver refuses for now, not for good

Result = TypeVar("Result")


class Webhook(Provider):
    """`locator`: {"url": …, "status_url": …}. State: {"size": n}."""

    name: ClassVar[str] = "signed webhook"
    unit: ClassVar[str] = "instances"
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "url",
            "URL of the receiver",
            "Gets the desired size by POST. It must begin with https://; redirects and private addresses are refused.",
        ),
        Field(
            "status_url",
            "URL of its status",
            "Read by GET. It must return JSON with “size” and “serving”.",
        ),
    )
    lead_seconds: ClassVar[int] = 120
    credentials: ClassVar[str] = (
        "SCALING_WEBHOOK_SECRET in the environment, which the receiver must know too. "
        "Private hosts must be listed in SCALING_PRIVATE_HOSTS."
    )

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Check both URLs. Raises BadLocator."""
        errors: dict[str, str] = {}
        for name in ("url", "status_url"):
            try:
                outbound.check(url=str(locator.get(name) or ""))
            except outbound.AddressBlocked as error:
                errors[name] = str(error)
        if errors:
            raise BadLocator(errors)

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Return the receiver's URL in one spelling."""
        parts = outbound.check(url=str(locator["url"]))
        return f"webhook:{parts.scheme}://{parts.hostname}:{outbound.port(parts)}{parts.path or '/'}?{parts.query}"

    def read(self) -> Reading:
        """Read the receiver's status."""
        url = str(self.locator["status_url"])
        response = self._call(lambda secret: outbound.get(url=url, secret=secret, seconds=CALL_SECONDS))
        status = _translate_errors(response.json)
        if not isinstance(status, dict):
            raise OutcomeUnclear(
                "The status isn't a JSON object. It should look like {“size”: 8, “serving”: 8}."
            )
        size, serving = _count(status, "size"), _count(status, "serving")
        moving, message = status.get("moving", False), status.get("words", "")
        if not isinstance(moving, bool) or not isinstance(message, str):
            raise OutcomeUnclear(
                "In the status, “moving” should be true or false, and “words” should be a string."
            )
        return Reading(
            state={"size": size},
            size=size,
            serving=serving,
            moving=moving,
            message=one_line(message, MAX_SHOWN_CHARACTERS),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Return exactly that size: nothing else is known about the receiver."""
        return {"size": size}

    def apply(self, state: State, *, key: str) -> Applied:
        """Send the desired size to the receiver. Its response only shows that it has received it."""
        url = str(self.locator["url"])
        body = json.dumps({"version": 1, "url": url, "size": state["size"]}).encode()
        response = self._call(
            lambda secret: outbound.post(url=url, body=body, secret=secret, key=key, seconds=CALL_SECONDS)
        )
        return Applied(request_id=response.request_id, message=f"the receiver responded {response.status}")

    def _call(self, send: Callable[[str], outbound.Response]) -> outbound.Response:
        """Make one call; return its response if that is 2xx. Raises ProviderError."""
        secret = settings.SCALING_WEBHOOK_SECRET
        if not secret:
            raise ApplyRefused(
                "SCALING_WEBHOOK_SECRET is not set, so the receiver couldn't verify the call. Set it on both sides."
            )
        response = _translate_errors(lambda: send(secret))
        if not 200 <= response.status < 300:
            raise _error_for(response)
        return response


def _translate_errors(call: Callable[[], Result]) -> Result:
    """Return what the call returns; raise its outbound errors as provider errors."""
    try:
        return call()
    except outbound.AddressBlocked as error:
        raise ApplyRefused(str(error)) from error
    except outbound.NoResponse as error:
        raise OutcomeUnclear(str(error)) from error


def _error_for(response: outbound.Response) -> ProviderError:
    """Return the exception for a response that isn't 2xx."""
    status = response.status
    reason = f"{status}{_quoted_detail(response)}"
    if status in {401, 403}:
        return ApplyRefused(
            f"The receiver responded {reason}. Check that both sides have the same secret and the same time."
        )
    if status in {404, 410}:
        return ApplyRefused(f"The receiver doesn't know this URL ({reason}). Correct it.")
    if status in RETRY_STATUSES or status >= 500:
        return OutcomeUnclear(f"The receiver responded {reason}. It will be tried again.")
    return ApplyRefused(f"The receiver refused the call with {reason}. Check what it accepts.")


def _count(status: dict[str, Any], name: str) -> int:
    """Return a number of instances from the status. Raises OutcomeUnclear."""
    count = status.get(name)
    # Not isinstance: True is an int as well.
    if type(count) is not int or not 0 <= count <= MAX_SIZE:
        raise OutcomeUnclear(f"In the status, “{name}” should be a whole number of 0 or more.")
    return count


def _quoted_detail(response: outbound.Response) -> str:
    """Return the receiver's own sentence as ": “…”"; empty if there is none."""
    try:
        body = response.json()
    except outbound.NoResponse:
        return ""
    if not isinstance(body, dict):
        return ""
    detail = body.get("detail") or body.get("error") or body.get("message")
    return f": “{one_line(detail, MAX_SHOWN_CHARACTERS)}”" if isinstance(detail, str) else ""
