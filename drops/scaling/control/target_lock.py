"""The lock on a target: one tick at a time works on it.

A lock is the value of `locked_until`. A guarded UPDATE acquires it and every write names it; a worker that
finds a different value there has lost its lock and writes nothing. The lock of a process that died expires
after a minute; reading and applying get a minute each.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from drops.scaling.models import Target

LOCK_TIME = timedelta(seconds=60)  # longer than a provider may take to read, or to apply


class LockLost(Exception):
    """The lock expired before the work was done. Another tick may hold it: nothing more may be written."""


def acquire(*, target: Target) -> Target | None:
    """Lock a target. Return its current row, or None if another tick holds the lock."""
    is_free = Q(locked_until=None) | Q(locked_until__lt=Now())
    # The UPDATE locks the row until the transaction ends, so the `locked_until` that we read is surely ours.
    with transaction.atomic():
        if not Target.objects.filter(is_free, pk=target.pk).update(locked_until=Now() + LOCK_TIME):
            return None
        return Target.objects.get(pk=target.pk)


def write(*, target: Target, **fields: Any) -> None:
    """Write fields of a target that we have locked, to the row and to `target`. Raises LockLost."""
    lock = {"locked_until": target.locked_until}
    if not Target.objects.filter(pk=target.pk, **lock).update(**lock | fields):
        raise LockLost
    for name, value in fields.items():
        setattr(target, name, value)


def renew(*, target: Target) -> None:
    """Lock a target that we have locked for another minute from now. Raises LockLost."""
    with transaction.atomic():  # as in `acquire`, what we read is what we wrote
        write(target=target, locked_until=Now() + LOCK_TIME)
        target.refresh_from_db(fields=["locked_until"])


def release(*, target: Target) -> None:
    """Release the lock, if it is still ours."""
    Target.objects.filter(pk=target.pk, locked_until=target.locked_until).update(locked_until=None)
