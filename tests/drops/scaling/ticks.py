"""What tests of ticks say in short."""

from django.utils import timezone

from drops.models import Drop
from drops.scaling.control import tick


def state(step):
    step.refresh_from_db()
    return step.state


def close(drop):
    Drop.objects.filter(pk=drop.pk).update(closed_at=timezone.now())


def ticks(cloud, times=12):
    for _ in range(times):
        tick.run_once(actor="test")
        cloud.go_on()
