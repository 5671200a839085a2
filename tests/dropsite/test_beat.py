"""Beat sleeps between the tasks that it sends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import beat as celery_beat
from celery import current_app
from celery.schedules import schedule

from dropsite import beat

STEP = timedelta(microseconds=200)  # what one look at the clock takes here


class Clock:
    """A clock that goes on by being looked at, and by sleeping."""

    now = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += STEP
        return self.now


def ticks_a_task(kind: type[Any]) -> float:
    """Return how often beat looks for something due, for each task that it sends."""
    clock, sent, ticks = Clock(), [], 0

    scheduler = kind(current_app, schedule={}, lazy=True)
    scheduler.producer = None  # else it dials the broker
    scheduler.apply_entry = lambda entry, producer: sent.append(entry.name)
    for name, seconds in (("often", 5), ("rarely", 15)):
        every = schedule(timedelta(seconds=seconds), nowfun=clock, app=current_app)
        scheduler.add(name=name, task=name, schedule=every, last_run_at=clock.now)
    while len(sent) < 40:
        pause = scheduler.tick()
        clock.now += timedelta(seconds=max(0, pause))
        ticks += 1
    assert sent.count("often") == 3 * sent.count("rarely")
    return ticks / len(sent)


@pytest.mark.parametrize(
    ("kind", "least", "most"), [(beat.Scheduler, 1, 2), (celery_beat.Scheduler, 5, 1000)]
)
def test_sleep_until_a_task_is_due(kind: Any, least: int, most: int) -> None:
    assert least <= ticks_a_task(kind) <= most
