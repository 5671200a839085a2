"""The audit log: who did what, when, from what value to what value."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from shop.core.models import AuditEntry


def write(
    *,
    who: AbstractBaseUser | None,
    about: str,
    action: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry, in the transaction of the action itself.

    `who` is None for the system; `about` is "kind:name", such as "drop:nth-place".
    """
    who_id = who.pk if who else None
    return AuditEntry.objects.create(who_id=who_id, about=about, action=action, before=before or {}, after=after or {})
