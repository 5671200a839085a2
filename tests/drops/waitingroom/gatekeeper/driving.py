"""Drops in the states that the tests of the loop start from."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from drops.models import Checkpoint, Drop
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.factories import make_drop

SECOND = timedelta(seconds=1)


def checkpoint(drop: Drop) -> Checkpoint:
    return Checkpoint.objects.get(drop=drop)


def move(drop: Drop, **fields: Any) -> None:
    """Change a drop's times."""
    Drop.objects.filter(pk=drop.pk).update(**fields)


def open_now(drop: Drop) -> None:
    move(drop, opens_at=timezone.now())


def admitting(driven: Driven, joined: int, **fields: Any) -> Drop:
    """Return a drop that was sealed with `joined` shoppers in its lobby and may admit them now."""
    drop = make_drop(phase="lobby", **fields)
    driven.tick()
    driven.join(drop, joined)
    open_now(drop)
    driven.tick()
    move(drop, sealed_at=timezone.now() - 5 * SECOND)
    return drop
