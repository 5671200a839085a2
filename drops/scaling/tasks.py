"""What beat asks of pre-scaling. Each is safe to run twice at once."""

from celery import shared_task

from drops.scaling.accounting import measure as measuring
from drops.scaling.control import heartbeat
from drops.scaling.control import tick as ticks


@shared_task(name="scaling.tick", ignore_result=True)
def tick(**_: object) -> int:
    """Do what is due."""
    return len(ticks.tick(who="beat"))


@shared_task(name="scaling.measure", ignore_result=True)
def measure(**_: object) -> int:
    """Measure what drops demand while they run, and what they demanded and cost once they are over."""
    return len(measuring.measure_due(now=heartbeat.database_now()))
