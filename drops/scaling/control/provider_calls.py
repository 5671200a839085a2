"""Calls to targets, each with a row that says what stood before and after, how long it took, and who made it.

Never inside a transaction.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from django.utils.translation import gettext as _

from drops.scaling.models import Call, Step, Target
from drops.scaling.providers import PROVIDERS, Applied, ApplyRefused, Provider, ProviderError, Reading

Answer = TypeVar("Answer", Reading, Applied)


def kind_of(*, target: Target) -> Provider:
    """Give the target's kind, told where it is. Raises Refused if there is no such kind."""
    if target.kind not in PROVIDERS:
        raise ApplyRefused(
            _("There is no kind of target “%(kind)s”. Choose one of: %(kinds)s.")
            % {"kind": target.kind, "kinds": ", ".join(sorted(PROVIDERS))}
        )
    return PROVIDERS[target.kind](where=target.where)


def read(*, target: Target, who: str, step: Step | None = None, act: str = "read") -> Reading:
    """Read how the target stands. Raises Faulty, with the fault in the row."""

    def note(reading: Reading) -> dict[str, Any]:
        return {"after": seen(reading)}

    return made(lambda: kind_of(target=target).read(), note, target=target, step=step, act=act, who=who)


def ask(*, target: Target, who: str, key: str, step: Step | None = None) -> Applied:
    """Ask the target for the state that was committed. Raises Faulty, with the fault in the row."""
    state = target.asked or {}

    def note(asked: Applied) -> dict[str, Any]:
        return {"after": state, "request_id": asked.request_id[:100]}

    before = (target.seen or {}).get("state")
    return made(
        lambda: kind_of(target=target).ask(state, key=key),
        note,
        target=target,
        step=step,
        act="ask",
        who=who,
        before=before,
    )


def test(*, target: Target, who: str) -> Call:
    """Read the target, changing nothing, to see whether the connection works; the row, with its fault if it doesn't."""
    with suppress(ProviderError):  # the row tells it
        read(target=target, who=who, act="test")
    return Call.objects.filter(target=target, act="test", who=who).latest("id")


def made(
    do: Callable[[], Answer], note: Callable[[Answer], dict[str, Any]], *, target: Target, who: str, **fields: Any
) -> Answer:
    """Do one call and keep its row, whether it succeeds or not."""
    begun = time.monotonic()
    row = Call(target=target, who=who[:80], milliseconds=0, **fields)
    try:
        answer = do()
    except ProviderError as fault:
        row.fault = str(fault)[:300]
        raise
    else:
        for name, value in note(answer).items():
            setattr(row, name, value)
        return answer
    finally:
        row.milliseconds = int((time.monotonic() - begun) * 1000)
        row.save()


def seen(reading: Reading) -> dict[str, Any]:
    """Give a reading as it is kept with the target."""
    return {
        "state": reading.state,
        "size": reading.size,
        "serving": reading.serving,
        "moving": reading.moving,
        "words": reading.words,
        "cpu_seconds": reading.cpu_seconds,
    }
