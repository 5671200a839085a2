"""Turns: one tick at a time works on a target.

A turn is the value of `busy_until`: a guarded UPDATE takes it, each write names it, and who finds another value there
has lost it and writes nothing. A process that dies keeps its turn for a minute.
"""

from datetime import timedelta
from typing import Any

from drops.scaling.models import Target
from shop.core.sql import columns

LENGTH = timedelta(seconds=60)  # longer than the calls of one look at a target may take


class LockLost(Exception):
    """The turn ended before the work did; somebody else may have taken it. Nothing more is written."""


def acquire(*, target: Target) -> Target | None:
    """Take the turn; the row as it is then. None if somebody has it."""
    sql = f"""
        UPDATE scaling_target SET busy_until = clock_timestamp() + %s
        WHERE id = %s AND (busy_until IS NULL OR busy_until < clock_timestamp()) RETURNING {columns(Target)}
    """
    return next(iter(Target.objects.raw(sql, [LENGTH, target.pk])), None)


def write(*, target: Target, **fields: Any) -> None:
    """Write fields of a target whose turn is ours, to the row and to `target`. Raises Lost."""
    ours = {"busy_until": target.busy_until}
    if not Target.objects.filter(pk=target.pk, **ours).update(**ours | fields):
        raise LockLost
    for name, value in fields.items():
        setattr(target, name, value)


def release(*, target: Target) -> None:
    """End the turn, if it is still ours."""
    Target.objects.filter(pk=target.pk, busy_until=target.busy_until).update(busy_until=None)
