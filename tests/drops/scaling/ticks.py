"""Shorthands for tests of ticks."""

from django.utils import timezone

from drops.models import Drop
from drops.scaling.control import tick
from drops.scaling.models import Step
from tests.drops.scaling.cloud import Cloud


def state(step: Step) -> str:
    step.refresh_from_db()
    return step.state


def close(drop: Drop) -> None:
    Drop.objects.filter(pk=drop.pk).update(closed_at=timezone.now())


def ticks(cloud: Cloud, times: int = 12) -> None:
    for _ in range(times):
        tick.run_once(actor="test")
        cloud.converge()
