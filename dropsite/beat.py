"""The scheduler of beat."""

from celery.beat import Scheduler as CeleryScheduler


class Scheduler(CeleryScheduler):
    """Sleeps until a task is due. Celery's own wakes 10 ms before and spins from there, more costly than sending."""

    def adjust(self, n: float, drift: float = 0.001) -> float:
        """Give the seconds to sleep of those that are left: a moment more, since no clock wakes to the dot."""
        return n + drift if n and n > 0 else n
