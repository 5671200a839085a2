"""The journal: who, when, what, from, to. An entry is written in the transaction of the act that it tells of."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from shop.core.models import AuditEntry


def write(
    *,
    who: AbstractBaseUser | None,
    about: str,
    act: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry. `about` is "kind:name", such as "drop:nth-place"; `who` is None for the system itself."""
    return AuditEntry.objects.create(
        who_id=who.pk if who else None, about=about, act=act, before=before or {}, after=after or {}
    )
