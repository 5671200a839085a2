"""Drops brought to where the tests of the loop need them."""

from datetime import timedelta

from django.utils import timezone

from drops.models import Checkpoint, Drop
from tests.factories import make_drop

SECOND = timedelta(seconds=1)


def checkpoint(drop):
    return Checkpoint.objects.get(drop=drop)


def move(drop, **fields):
    """Put a drop's times where the test needs them."""
    Drop.objects.filter(pk=drop.pk).update(**fields)


def open_now(drop):
    move(drop, opens_at=timezone.now())


def admitting(driven, joined, **fields):
    """A drop that was sealed with so many in its lobby and may let in now."""
    drop = make_drop(phase="lobby", **fields)
    driven.tick()
    driven.join(drop, joined)
    open_now(drop)
    driven.tick()
    move(drop, sealed_at=timezone.now() - 5 * SECOND)
    return drop
