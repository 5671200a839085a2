"""Tasks whose timing depends on no machine's clock.

Celery writes `expires` and `countdown` into a message as times of day, by the sender's clock, and the worker
compares them with its own. A worker that is ten seconds ahead would discard each periodic task, silently;
one that is behind would hold back each task that is to run later. So messages say durations, in headers:

interval_seconds   of a periodic task: after one has begun, another is skipped for half of that time
wait_seconds       of a task with a countdown: how long a worker waits, once it has received it
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Task as CeleryTask
from celery.worker.request import Request as CeleryRequest

INTERVAL_SECONDS = "interval_seconds"
WAIT_SECONDS = "wait_seconds"


class ClockDependentOption(TypeError):
    """A task was enqueued with an option that compares the clocks of two machines."""


class Request(CeleryRequest):
    """A task that a worker has received. Waiting counts from then on; nothing expires."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.expires = None  # type: ignore[assignment]  # a release before this one may have set it
        wait = self.request_dict.get(WAIT_SECONDS)
        self.run_at: datetime | None = None
        if wait is not None:
            self.run_at = datetime.now(UTC) + timedelta(seconds=wait)

    @property
    def eta(self) -> datetime | None:
        """When to run the task, by this worker's clock; None: at once."""
        return self.run_at


class Task(CeleryTask[Any, Any]):
    """A task of this project."""

    Request = "dropsite.task:Request"
    began_at: float | None = None  # monotonic: when this process last ran it for beat

    def apply_async(  # type: ignore[override]  # the stubs list the options one by one
        self, args: tuple[Any, ...] | None = None, kwargs: dict[str, Any] | None = None, **options: Any
    ) -> Any:
        """Enqueue the task, to run after `countdown` seconds. Raises ClockDependentOption."""
        if options.get("eta") is not None or options.get("expires") is not None:
            raise ClockDependentOption(
                f"{self.name}: use a countdown, or a row that a sweep finds; eta and expires compare clocks."
            )
        countdown = options.pop("countdown", None)
        if countdown:
            options["headers"] = {**(options.get("headers") or {}), WAIT_SECONDS: countdown}
        return super().apply_async(args, kwargs, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task, unless it is a periodic one and its work has just been done."""
        interval = (self.request.headers or {}).get(INTERVAL_SECONDS)
        if interval is not None and not self.begin_period(seconds=interval):
            return None
        return self.run(*args, **kwargs)

    def begin_period(self, *, seconds: float) -> bool:
        """Begin a run of a periodic task; return False if this process has just run it.

        Messages pile up while no worker takes them, and then arrive together: the first does the work of all.
        """
        now = time.monotonic()
        if self.began_at is not None and now - self.began_at < seconds / 2:
            return False
        self.began_at = now
        return True
