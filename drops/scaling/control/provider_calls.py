"""Calls to providers. Each leaves a row: the state before and after, how long it took, and who made it.

Never inside a transaction.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from drops.scaling.models import Call, Step, Target
from drops.scaling.providers import PROVIDERS, Applied, ApplyRefused, Provider, ProviderError, Reading

Answer = TypeVar("Answer", Reading, Applied)


def provider_of(*, target: Target) -> Provider:
    """Return the target's provider, with its locator. Raises ApplyRefused if there is no such provider."""
    if target.provider not in PROVIDERS:
        known = ", ".join(sorted(PROVIDERS))
        raise ApplyRefused(f"There is no provider “{target.provider}”. Choose one of: {known}.")
    return PROVIDERS[target.provider](locator=target.locator)


def read(*, target: Target, actor: str, step: Step | None = None, operation: str = "read") -> Reading:
    """Read the target's size and state. Raises ProviderError, with the fault in the row."""

    def result(reading: Reading) -> dict[str, Any]:
        return {"after": reading_as_json(reading)}

    return _recorded(
        lambda: provider_of(target=target).read(),
        result,
        target=target,
        step=step,
        operation=operation,
        actor=actor,
    )


def apply(*, target: Target, actor: str, key: str, step: Step | None = None) -> Applied:
    """Apply the desired state, which is committed already.

    Raises ProviderError, with the fault in the row.
    """
    desired = target.desired or {}

    def result(applied: Applied) -> dict[str, Any]:
        return {"after": desired, "request_id": applied.request_id[:100]}

    return _recorded(
        lambda: provider_of(target=target).apply(desired, key=key),
        result,
        target=target,
        step=step,
        operation="apply",
        actor=actor,
        before=(target.observed or {}).get("state"),
    )


def test(*, target: Target, actor: str) -> Call:
    """Test the connection by reading the target. Return the row, with the fault if it failed."""
    with suppress(ProviderError):  # the row holds it
        read(target=target, actor=actor, operation="test")
    return Call.objects.filter(target=target, operation="test", actor=actor).latest("id")


def _recorded(
    call: Callable[[], Answer],
    result: Callable[[Answer], dict[str, Any]],
    *,
    target: Target,
    actor: str,
    **fields: Any,
) -> Answer:
    """Make one call and keep its row, whether it succeeds or not."""
    started = time.monotonic()
    row = Call(target=target, actor=actor[:80], milliseconds=0, **fields)
    try:
        answer = call()
    except ProviderError as fault:
        row.error = str(fault)[:300]
        raise
    else:
        for name, value in result(answer).items():
            setattr(row, name, value)
        return answer
    finally:
        row.milliseconds = int((time.monotonic() - started) * 1000)
        row.save()


def reading_as_json(reading: Reading) -> dict[str, Any]:
    """Return a reading as it is stored with the target."""
    return {
        "state": reading.state,
        "size": reading.size,
        "serving": reading.serving,
        "moving": reading.moving,
        "message": reading.message,
        "cpu_seconds": reading.cpu_seconds,
    }
