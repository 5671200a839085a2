"""Anything, by a signed webhook: its receiver is told the size that is wanted, and its status URL says what stands.

Told: `POST url` with `{"version": 1, "url": …, "size": 8}`, an absolute size, so that telling it twice is telling it
once; `Idempotency-Key` and `webhook-id` stay the same for the same demand. Read back: `GET status_url` answers
`{"size": 8, "serving": 6, "moving": true, "words": "…"}`, of which the last two may be left out: the size that is asked
for, what does its work now, whether a change is under way, a sentence for ops. Both are signed, as
shop.core.outbound does it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.base import (
    Applied,
    ApplyRefused,
    BadLocator,
    Field,
    OutcomeUnclear,
    Provider,
    Reading,
    State,
)
from shop.core import outbound

SECONDS = 10.0  # that one answer may take, all in all
MOST = 1_000_000  # a size beyond it is no size
LATER = frozenset({408, 409, 423, 425, 429})  # says the receiver for now, not for good

Said = TypeVar("Said")


class Webhook(Provider):
    """`locator`: {"url": …, "status_url": …}. State: {"size": n}."""

    name: ClassVar[str] = gettext_noop("signed webhook")
    unit: ClassVar[str] = gettext_noop("instances")
    fields: ClassVar[tuple[Field, ...]] = (
        Field(
            "url",
            gettext_noop("address of the receiver"),
            gettext_noop("Told by POST which size is wanted. https://, no redirects, no private address."),
        ),
        Field(
            "status_url",
            gettext_noop("address of its status"),
            gettext_noop("Read by GET: answers JSON with “size” and “serving”."),
        ),
    )
    lead_seconds: ClassVar[int] = 120
    credentials: ClassVar[str] = gettext_noop(
        "SCALING_WEBHOOK_SECRET in the environment, known to the receiver; private hosts in SCALING_PRIVATE_HOSTS."
    )

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Look at both addresses. Raises: BadWhere."""
        faults: dict[str, str] = {}
        for name in ("url", "status_url"):
            try:
                outbound.check(url=str(locator.get(name) or ""))
            except outbound.AddressBlocked as barred:
                faults[name] = str(barred)
        if faults:
            raise BadLocator(faults)

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Name the receiver by its address, however it is spelt."""
        parts = outbound.check(url=str(locator["url"]))
        return f"webhook:{parts.scheme}://{parts.hostname}:{outbound.port(parts)}{parts.path or '/'}?{parts.query}"

    def read(self) -> Reading:
        """Read the receiver's status."""
        url = str(self.locator["status_url"])
        answer = self._call(lambda secret: outbound.get(url=url, secret=secret, seconds=SECONDS))
        said = _called(answer.json)
        if not isinstance(said, dict):
            raise OutcomeUnclear(_("The status is no JSON object: it should be {“size”: 8, “serving”: 8}."))
        size, moving, words = _count(said, "size"), said.get("moving", False), said.get("words", "")
        if not isinstance(moving, bool) or not isinstance(words, str):
            raise OutcomeUnclear(_("In the status “moving” should be true or false, and “words” a text."))
        return Reading(
            state={"size": size}, size=size, serving=_count(said, "serving"), moving=moving, message=_shown(words)
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Ask for exactly that size: nothing else is known of the receiver."""
        return {"size": size}

    def apply(self, state: State, *, key: str) -> Applied:
        """Tell the receiver. What it answers says only that it was told."""
        url = str(self.locator["url"])
        body = json.dumps({"version": 1, "url": url, "size": state["size"]}).encode()
        answer = self._call(lambda secret: outbound.post(url=url, body=body, secret=secret, key=key, seconds=SECONDS))
        return Applied(
            request_id=answer.request_id, message=_("told; it answered %(status)s") % {"status": answer.status}
        )

    def _call(self, send: Callable[[str], outbound.Response]) -> outbound.Response:
        """Make one call; its answer if that is 2xx. Raises: Faulty."""
        if not settings.SCALING_WEBHOOK_SECRET:
            raise ApplyRefused(
                _("SCALING_WEBHOOK_SECRET is not set: the receiver could not tell who calls. Set it, on both sides.")
            )
        answer = _called(lambda: send(settings.SCALING_WEBHOOK_SECRET))
        if 200 <= answer.status < 300:
            return answer
        said = {"status": answer.status, "words": _said(answer)}
        if answer.status in {401, 403}:
            raise ApplyRefused(
                _("The receiver answered %(status)s%(words)s. Have both sides the same secret and time?") % said
            )
        if answer.status in {404, 410}:
            raise ApplyRefused(
                _("The receiver knows no such address (%(status)s%(words)s). Put in the right one.") % said
            )
        if answer.status in LATER or answer.status >= 500:
            raise OutcomeUnclear(_("The receiver answered %(status)s%(words)s. It is asked again.") % said)
        raise ApplyRefused(_("The receiver refused with %(status)s%(words)s. Look at what it expects.") % said)


def _called(do: Callable[[], Said]) -> Said:
    """Do it, with its failure as a fault of the target. Raises: Faulty."""
    try:
        return do()
    except outbound.AddressBlocked as barred:
        raise ApplyRefused(str(barred)) from barred
    except outbound.NoResponse as failed:
        raise OutcomeUnclear(str(failed)) from failed


def _count(said: dict[str, Any], name: str) -> int:
    """Give a number of instances that the status tells. Raises: Unknown."""
    count = said.get(name)
    if type(count) is not int or not 0 <= count <= MOST:
        raise OutcomeUnclear(_("In the status “%(name)s” should be a whole number from 0 on.") % {"name": name})
    return count


def _said(answer: outbound.Response) -> str:
    """Give the receiver's own sentence, in brackets that close what we say; empty if it gave none."""
    try:
        said = answer.json()
    except outbound.NoResponse:
        return ""
    words = (said.get("detail") or said.get("error") or said.get("message")) if isinstance(said, dict) else None
    return f": “{_shown(words)}”" if isinstance(words, str) else ""


def _shown(words: str) -> str:
    """Give foreign words as they may be shown: one line, not long."""
    return "".join(letter for letter in words if letter.isprintable())[:120]
