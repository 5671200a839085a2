"""What the tests of real servers share: waiting, bounded."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(look: Callable[[], Found], what: str = "it", *, seconds: float = 40) -> Found:
    """Wait for what `look` finds, the first true value; fails the test if there is none in time."""
    pause, ends = threading.Event(), time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < ends, f"{what}: it did not come true in {seconds:g} s"
        pause.wait(0.02)
    return found
