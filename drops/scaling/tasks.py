"""The periodic tasks of pre-scaling. Each is safe to run twice at once."""

from celery import shared_task

from drops.scaling.control import heartbeat, scale_plans
from drops.scaling.control.tick import run_once


@shared_task(name="scaling.tick", ignore_result=True)
def tick(**_: object) -> int:
    """Do what is due."""
    return len(run_once(actor="beat"))


@shared_task(name="scaling.measure", ignore_result=True)
def measure(**_: object) -> int:
    """Measure the demand of drops while they run, and what they demanded and cost once they are over.

    What was learned changes the plans of other drops.
    """
    return len(scale_plans.learn_due(now=heartbeat.database_now()))
