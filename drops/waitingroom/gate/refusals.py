"""Refusals, which endpoints raise: a script gets problem details, a form a small page."""

from collections.abc import Mapping
from typing import Any

from drops.waitingroom.gate import texts
from drops.waitingroom.gate.cache import CachedDrop
from drops.waitingroom.gate.language import gettext as _
from drops.waitingroom.gate.texts import Refusal
from drops.waitingroom.protocol import lua

UNAVAILABLE_RETRY_SECONDS = 2  # the gatekeeper's next tick adopts a Redis that isn't adopted
CROWDED_RETRY_SECONDS = 1  # the gatekeeper's next tick raises the counter's limit


class GateRefused(Exception):
    """Nothing was done.

    `values` fill the reason, `members` go into the problem for scripts, `retry` is in seconds.

    `key` is the client key of a join that may be sent again unchanged: the page offers the button once more.
    `forget_index`: the browser's index belongs to no ticket, so the drop's page must not show a place for it.
    """

    def __init__(
        self,
        refusal: Refusal,
        *,
        retry: int | None = None,
        values: Mapping[str, Any] | None = None,
        key: str = "",
        forget_index: bool = False,
        **members: Any,
    ) -> None:
        super().__init__(refusal.title)
        self.status = refusal.status
        self.title = _(refusal.title)
        self.reason = _(refusal.reason).format(retry=retry, **(values or {}))
        self.retry = retry
        self.key = key
        self.forget_index = forget_index
        self.members = members


def unavailable() -> GateRefused:
    """Return the refusal for a Redis that is unreachable, not adopted, or doesn't know the drop."""
    return GateRefused(texts.STUCK, retry=UNAVAILABLE_RETRY_SECONDS)


def over(drop: CachedDrop) -> GateRefused:
    """Return the refusal for a drop that was closed or cancelled."""
    if drop.status is not None and drop.status["phase"] == "cancelled":
        return GateRefused(texts.CANCELLED)
    return GateRefused(texts.CLOSED)


def not_joined(error: Exception | None, *, key: str) -> GateRefused:
    """Return the refusal of a join that got no index; `error` is None if Redis doesn't know the drop."""
    if isinstance(error, lua.CounterLimitReached):
        return GateRefused(texts.CROWDED, retry=CROWDED_RETRY_SECONDS, key=key)
    return GateRefused(texts.NOT_JOINED, retry=UNAVAILABLE_RETRY_SECONDS, key=key)
