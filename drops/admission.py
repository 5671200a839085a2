"""Ceilings: upper bounds on admission, each a count of shoppers with its reason.

payments and scaling write them, an operator may; the gatekeeper reads them once a second and lets in no more than the
least allows. A ceiling that should end by itself, should its writer die, has seconds.
"""

from datetime import timedelta

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from drops.models import Ceiling, Drop

PAYMENT_BUDGET = "payment budget"  # payment rate × 10 s less the attempts not sent yet
READY = "ready"  # READY rate × 10 s; takes the place of the baseline in settings
OPERATOR = "operator"
READY_SECONDS = 10  # of admission that a READY ceiling is good for


def set_ceiling(*, drop: Drop | None, kind: str, shoppers: int, reason: str, seconds: float | None = None) -> None:
    """Bound the shoppers of a drop, or of all drops together, who may be in without a hold; replaces one of its kind.

    It ends after `seconds`, or never. `reason` is a sentence for ops.
    """
    row = Ceiling(
        drop=drop,
        kind=kind,
        shoppers=max(0, shoppers),
        reason=reason,
        set_at=Now(),
        ends_at=None if seconds is None else Now() + timedelta(seconds=seconds),
    )
    Ceiling.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["drop", "kind"],
        update_fields=["shoppers", "reason", "set_at", "ends_at"],
    )


def lift_ceiling(*, drop: Drop | None, kind: str) -> None:
    """Take a ceiling away. Does nothing if there is none."""
    Ceiling.objects.filter(drop=drop, kind=kind).delete()


def ceilings(*, drop: Drop | None = None) -> QuerySet[Ceiling]:
    """Read the ceilings that stand now: all of them, or those that bind one drop, the ones for all drops included."""
    standing = Ceiling.objects.filter(Q(ends_at=None) | Q(ends_at__gt=Now()))
    return standing if drop is None else standing.filter(Q(drop=None) | Q(drop=drop))
