"""What keeps a gate process going by itself: tasks that are restarted, and failures that are counted."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

log = logging.getLogger(__name__)

RESTART_SECONDS = 0.5  # between the end of a task and its next start
STOP_SECONDS = 0.2  # until a task that hasn't stopped is told again
LOG_SECONDS = 10.0  # between two lines about unexpected failures: a crowd would write thousands a second


class Failures:
    """What has failed unexpectedly in this process: a bug of ours, or something that took too long."""

    def __init__(self) -> None:
        self.count = 0
        self.logged_at: float | None = None

    def record(self, what: str, error: BaseException | None) -> None:
        """Count a failure, and log it with its traceback unless one has just been logged."""
        self.count += 1
        now = monotonic()
        if self.logged_at is not None and now - self.logged_at < LOG_SECONDS:
            return
        self.logged_at = now
        log.error("%s (failure %s of this process)", what, self.count, exc_info=error)


class Supervised:
    """A task that runs for as long as the process. However it ends, it is logged, counted and restarted."""

    def __init__(self, name: str, work: Callable[[], Coroutine[Any, Any, None]], failures: Failures) -> None:
        self.name = name
        self.work = work
        self.failures = failures
        self.restarts = 0
        self.task: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.is_stopped = False

    @property
    def is_running(self) -> bool:
        return self.task is not None and not self.task.done()

    def start(self) -> None:
        """Start the task, inside the event loop that runs it."""
        self.task = asyncio.create_task(self.work())
        # Even a task that somebody cancels calls this.
        self.task.add_done_callback(self._restart)

    def _restart(self, task: "asyncio.Task[None]") -> None:
        if self.is_stopped:
            return
        self.restarts += 1
        error = None
        if not task.cancelled():
            error = task.exception()
        self.failures.record(f"{self.name} has ended; restarting it", error)
        self.timer = asyncio.get_running_loop().call_later(RESTART_SECONDS, self.start)

    async def stop(self) -> None:
        """Stop the task for good."""
        self.is_stopped = True
        if self.timer is not None:
            self.timer.cancel()
        # Again, if need be: a client that waits with a time-out may take the first for that, and go on.
        while self.task is not None and not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task], timeout=STOP_SECONDS)
