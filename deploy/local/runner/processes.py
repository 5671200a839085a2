"""Signals: ending a child with its parent, and stopping on Ctrl-C."""

import ctypes
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """INT, TERM or HUP was received."""


def die_with_parent(number: int = signal.SIGTERM) -> None:
    """Make the kernel send this process `number` when the thread that started it ends, even by SIGKILL.

    Linux only; elsewhere it does nothing. The setting survives exec; setuid clears it.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, number)  # PR_SET_PDEATHSIG


def _interrupt(number: int, frame: FrameType | None) -> None:
    for name in STOP_SIGNALS:
        signal.signal(name, signal.SIG_IGN)  # a second signal must not interrupt the stopping
    raise Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """Leave the block on INT, TERM or HUP: Interrupted is raised in it, once, and suppressed here."""
    for name in STOP_SIGNALS:
        signal.signal(name, _interrupt)
    with suppress(Interrupted):
        yield
