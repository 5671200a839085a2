"""Fault injection for tests and the demo.

Faults last until they are used up, cleared, or the sandbox restarts.
"""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from . import errors

FAULT_KINDS = ("lag", "error", "drop", "outage")
MAX_LAG_SECONDS = 600


class InvalidFault(ValueError):
    """A request to the control API is invalid; the message says why."""


class ConnectionDropped(Exception):
    """The connection is to be closed without a response."""


class ServiceOutage(Exception):
    """Stripe is down: the response is a 503 from something that doesn't speak JSON."""


@dataclass(kw_only=True)
class Fault:
    kind: str
    operation: str = "*"
    """An operation's name (`payment_intents.confirm`), or `*` for all."""
    when: str = "before"
    """`before` the request is executed, or `after` it has been."""
    times: int | None = 1
    """The number of calls that it affects; None means all."""
    seconds: float = 0.0
    saved: bool | None = None
    """Whether the idempotency key keeps an error.

    None: yes after the execution (as at Stripe), no before it.
    """
    id: int = 0

    def is_saved(self) -> bool:
        if self.saved is None:
            return self.when == "after"
        return self.saved


@dataclass(kw_only=True)
class WebhookFaults:
    """Faults of webhook deliveries."""

    hold: bool = False
    """Nothing is delivered while this is true."""
    delay: float = 0.0
    """Seconds before each delivery."""
    repeat: int = 0
    """Additional copies of each event."""
    reorder: float = 0.0
    """Each copy waits a random time of up to this many seconds more."""


class FaultInjector:
    """Holds the active faults. `on_webhooks_changed` is called when the webhook faults change."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.webhooks = WebhookFaults()
        self.on_webhooks_changed: Callable[[], None] = lambda: None
        self._ids = itertools.count(1)

    def add(self, fields: dict[str, Any]) -> Fault:
        """Activate a fault. Raises InvalidFault."""
        try:
            fault = Fault(**fields)
        except TypeError:
            raise InvalidFault("The fields are: kind, operation, when, times, seconds, saved.") from None
        if fault.kind not in FAULT_KINDS:
            raise InvalidFault(f"kind must be one of {', '.join(FAULT_KINDS)}.")
        if fault.when not in ("before", "after"):
            raise InvalidFault("when must be before or after.")
        if fault.times is not None and not (isinstance(fault.times, int) and fault.times > 0):
            raise InvalidFault("times must be a whole number greater than 0, or null for every call.")
        if not isinstance(fault.seconds, int | float) or not 0 <= fault.seconds <= MAX_LAG_SECONDS:
            raise InvalidFault(f"seconds must be a number from 0 to {MAX_LAG_SECONDS}.")
        fault.id = next(self._ids)
        self.active.append(fault)
        return fault

    def set_webhook_faults(self, fields: dict[str, Any]) -> None:
        """Set how webhooks are delivered from now on. Raises InvalidFault."""
        try:
            self.webhooks = WebhookFaults(**fields)
        except TypeError:
            raise InvalidFault("The fields are: hold, delay, repeat, reorder.") from None
        self.on_webhooks_changed()

    def clear(self) -> None:
        self.active.clear()
        self.webhooks = WebhookFaults()
        self.on_webhooks_changed()

    def state(self) -> dict[str, Any]:
        return {"faults": [asdict(fault) for fault in self.active], "webhooks": asdict(self.webhooks)}

    def take(self, operation: str, when: str) -> list[Fault]:
        """Return the faults that affect this call, and count one use of each."""
        matching = [
            fault for fault in self.active if fault.when == when and fault.operation in ("*", operation)
        ]
        for fault in matching:
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    self.active.remove(fault)
        return matching


async def inject(faults: list[Fault], *, saved: bool | None = None) -> None:
    """Sleep for every lag, then raise ServiceOutage, ConnectionDropped or ApiError for the first other fault.

    `saved` restricts errors to those that the idempotency key keeps (True) or doesn't keep (False).
    """
    for fault in faults:
        if fault.kind == "lag":
            await asyncio.sleep(fault.seconds)
    for fault in faults:
        if fault.kind == "outage":
            raise ServiceOutage
        if fault.kind == "drop":
            raise ConnectionDropped
        if fault.kind == "error" and saved in (None, fault.is_saved()):
            raise errors.unknown_error(saved=fault.is_saved())
