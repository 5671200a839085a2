"""Beat's scheduler."""

from celery.beat import Scheduler as CeleryScheduler


class Scheduler(CeleryScheduler):
    """Sleep until a task is due.

    Celery's own wakes up 10 ms early and spins, which costs more than sending.
    """

    def adjust(self, n: float, drift: float = 0.001) -> float:
        """Return the seconds to sleep for a task that is due in `n`: a little more, as timers are inexact."""
        if n and n > 0:
            return n + drift
        return n
