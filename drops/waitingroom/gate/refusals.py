"""Refusals, which endpoints raise: a script gets problem details, a form a small page."""

from collections.abc import Mapping
from typing import Any

from drops.waitingroom.gate import texts
from drops.waitingroom.gate.language import gettext as _
from drops.waitingroom.gate.texts import Refusal
from drops.waitingroom.protocol import lua

STUCK_SECONDS = 2  # a Redis that isn't adopted is adopted at the gatekeeper's next tick
CROWDED_SECONDS = 1  # so is the limit of the counter raised


class GateRefused(Exception):
    """Nothing was done. `values` fill the reason, `members` go into the problem for scripts, `retry` is in seconds.

    `key` is the client key of a join that may be sent again as it was: a form's sender has to press once more.
    """

    def __init__(
        self,
        refusal: Refusal,
        *,
        retry: int | None = None,
        values: Mapping[str, Any] | None = None,
        key: str = "",
        **members: Any,
    ) -> None:
        super().__init__(refusal.title)
        self.status = refusal.status
        self.title = _(refusal.title)
        self.reason = _(refusal.reason).format(retry=retry, **(values or {}))
        self.retry = retry
        self.key = key
        self.members = members


def stuck() -> GateRefused:
    """Redis is away, not adopted, or doesn't know the drop."""
    return GateRefused(texts.STUCK, retry=STUCK_SECONDS)


def uncounted(error: Exception | None, *, key: str) -> GateRefused:
    """The same, or more came in this second than may be counted: who joined has no place yet."""
    if isinstance(error, lua.Full):
        return GateRefused(texts.CROWDED, retry=CROWDED_SECONDS, key=key)
    return GateRefused(texts.NOT_JOINED, retry=STUCK_SECONDS, key=key)
