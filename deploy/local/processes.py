"""What the operating system is asked for when one process starts another, and when somebody wants an end."""

import ctypes
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """Somebody wants an end."""


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Have the kernel send this process `number` when the thread that started it ends, kill -9 included.

    Linux only, a no-op elsewhere. Survives exec; setuid clears it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG


def _interrupt(number: int, frame: FrameType | None) -> None:
    for name in ENDS:
        signal.signal(name, signal.SIG_IGN)  # all is being stopped: asking again changes nothing
    raise Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """Leave the block on INT, TERM or HUP, by an Interrupted that passes its `finally`s once and ends here."""
    for name in ENDS:
        signal.signal(name, _interrupt)
    with suppress(Interrupted):
        yield
