"""Faults that tests and the demo order: they last until they are used up, taken away, or the sandbox restarts."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from . import errors

KINDS = ("lag", "error", "drop", "outage")


class BadOrder(ValueError):
    """The order for a fault makes no sense; the message says why."""


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class Outage(Exception):
    """Stripe is away: 503 from something that does not speak JSON."""


@dataclass(kw_only=True)
class Fault:
    kind: str
    operation: str = "*"
    """An operation's name (`payment_intents.confirm`) or `*`."""
    when: str = "before"
    """Before the request is looked at, or after it was done."""
    times: int | None = 1
    """How many calls it takes; None: all."""
    seconds: float = 0.0
    saved: bool | None = None
    """An error is kept by the idempotency key: yes after (as Stripe does), no before, unless said."""
    id: int = 0

    def keeps(self) -> bool:
        return self.when == "after" if self.saved is None else self.saved


@dataclass(kw_only=True)
class Webhooks:
    """How deliveries are spoilt."""

    hold: bool = False
    """None leaves until it is false again."""
    delay: float = 0.0
    """Seconds before each delivery."""
    repeat: int = 0
    """Further copies of each event."""
    reorder: float = 0.0
    """Each copy waits up to that many seconds more, at random."""


class Faults:
    """`changed` is called when deliveries are spoilt otherwise than before."""

    def __init__(self) -> None:
        self.orders: list[Fault] = []
        self.webhooks = Webhooks()
        self.changed: Callable[[], None] = lambda: None
        self._ids = itertools.count(1)

    def order(self, fields: dict[str, Any]) -> Fault:
        """Raises BadOrder."""
        try:
            fault = Fault(**fields)
        except TypeError:
            raise BadOrder("known fields: kind, operation, when, times, seconds, saved") from None
        if fault.kind not in KINDS:
            raise BadOrder(f"kind is one of {', '.join(KINDS)}")
        if fault.when not in ("before", "after"):
            raise BadOrder("when is before or after")
        if fault.times is not None and not (isinstance(fault.times, int) and fault.times > 0):
            raise BadOrder("times is a whole number above 0, or null for every call")
        if not isinstance(fault.seconds, int | float) or not 0 <= fault.seconds <= 600:
            raise BadOrder("seconds is a number from 0 to 600")
        fault.id = next(self._ids)
        self.orders.append(fault)
        return fault

    def spoil(self, fields: dict[str, Any]) -> None:
        """Set how webhooks are delivered from now on. Raises BadOrder."""
        try:
            self.webhooks = Webhooks(**fields)
        except TypeError:
            raise BadOrder("known fields: hold, delay, repeat, reorder") from None
        self.changed()

    def clear(self) -> None:
        self.orders.clear()
        self.webhooks = Webhooks()
        self.changed()

    def state(self) -> dict[str, Any]:
        return {"faults": [asdict(fault) for fault in self.orders], "webhooks": asdict(self.webhooks)}

    def take(self, operation: str, when: str) -> list[Fault]:
        """The faults that meet this call, one use less each."""
        if not self.orders:
            return []
        met = [f for f in self.orders if f.when == when and f.operation in ("*", operation)]
        for fault in met:
            if fault.times is not None:
                fault.times -= 1
                if not fault.times:
                    self.orders.remove(fault)
        return met


async def suffer(faults: list[Fault], *, saved: bool | None = None) -> None:
    """Go through them: wait, then raise Outage, Dropped or ApiError. `saved` leaves only errors that are (not) kept."""
    for fault in faults:
        if fault.kind == "lag":
            await asyncio.sleep(fault.seconds)
    for fault in faults:
        if fault.kind == "outage":
            raise Outage
        if fault.kind == "drop":
            raise Dropped
        if fault.kind == "error" and saved in (None, fault.keeps()):
            raise errors.unknown_fault(saved=fault.keeps())
