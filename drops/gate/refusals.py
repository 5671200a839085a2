"""How a request is refused: endpoints raise Refused; a script gets problem details, a form a small page."""

from collections.abc import Mapping
from typing import Any

from drops.gate import answers, texts
from drops.gate.answers import Answer
from drops.gate.gate import Gate
from drops.gate.requests import Request
from drops.gate.texts import Refusal
from drops.line import lua

STUCK_SECONDS = 2  # a Redis that isn't adopted is adopted at the gatekeeper's next tick
CROWDED_SECONDS = 1  # so is the limit of the counter raised


class Refused(Exception):
    """Nothing was done. `words` fill the texts, `members` go into the problem for scripts, `retry` is in seconds."""

    def __init__(
        self,
        refusal: Refusal,
        *,
        retry: int | None = None,
        words: Mapping[str, Any] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(refusal.what)
        self.status = refusal.status
        self.what = refusal.what
        self.why = refusal.why.format(retry=retry, **(words or {}))
        self.retry = retry
        self.members = members


def stuck(error: Exception | None = None) -> Refused:
    """Redis is away, not adopted, or doesn't know the drop; or more came in this second than may be counted."""
    if isinstance(error, lua.Full):
        return Refused(texts.CROWDED, retry=CROWDED_SECONDS)
    return Refused(texts.STUCK, retry=STUCK_SECONDS)


def answer(gate: Gate, slug: str, request: Request, refused: Refused) -> Answer:
    """Say it to who asked. `slug` is empty if no line is meant."""
    if request.wants_json:
        detail = f"{refused.what} {refused.why}"
        return answers.problem(refused.status, detail, retry=refused.retry, **refused.members)
    line = gate.lines.known.get(slug)
    return gate.pages.refusal(
        refused.status,
        what=refused.what,
        why=refused.why,
        retry=refused.retry,
        slug=slug,
        look=line.look if line else {},
    )
