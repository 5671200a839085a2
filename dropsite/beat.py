"""Beat's scheduler, and its clock."""

import time
from datetime import UTC, datetime, timedelta

from celery.beat import Scheduler as CeleryScheduler

ANY_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def uptime() -> datetime:
    """Return a time that only goes forward, for intervals: nobody can set it, and it means no date.

    Beat would stand still for an hour if this machine's clock were set back by an hour.
    """
    return ANY_MOMENT + timedelta(seconds=time.monotonic())


class Scheduler(CeleryScheduler):
    """Sleep until a task is due.

    Celery's own wakes up 10 ms early and spins, which costs more than sending.
    """

    def adjust(self, n: float, drift: float = 0.001) -> float:
        """Return the seconds to sleep for a task that is due in `n`: a little more, as timers are inexact."""
        if n and n > 0:
            return n + drift
        return n
