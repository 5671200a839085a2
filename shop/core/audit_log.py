"""The audit log: who did what, when, from what value to what value."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from shop.core.models import AuditEntry


def write(
    *,
    actor: AbstractBaseUser | None,
    about: str,
    action: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry, in the transaction of the action itself.

    `actor` is None for the system itself; `about` is "kind:name", such as "drop:nth-place".
    """
    return AuditEntry.objects.create(
        actor_id=actor.pk if actor else None,
        about=about,
        action=action,
        before=before or {},
        after=after or {},
    )
