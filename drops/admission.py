"""Ceilings: upper bounds on admission, each a count of shoppers with its reason.

payments, scaling and operators set them; the gatekeeper reads them once a second and admits no more than the
lowest allows. A ceiling that should end by itself, in case its writer dies, is set for a number of seconds.

What payments can take is measured at each tick instead, by a function that they register here: it must not
depend on the workers whose backlog it measures.
"""

import logging
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from drops.models import Ceiling, Drop

log = logging.getLogger(__name__)

PAYMENTS_UNKNOWN = "Payments: how many shoppers they can take is unknown."
AHEAD_SECONDS = 10  # how far ahead of what payments and fleets can do in that time shoppers may be admitted
OVERBOOKING_FACTOR = 1.2  # shoppers admitted per hold that the free units could fill
CALLS_PER_PAYMENT = 4  # to Stripe: create, confirm, retrieve after 3-D Secure, capture


Measure = Callable[[], tuple[int, str]]
_measures: list[Measure] = []


def register_payments(measure: Measure) -> None:
    """Register the function that measures how many more shoppers the payments can take, and says why."""
    _measures[:] = [measure]


def payment_ceiling() -> Ceiling:
    """Measure how many more shoppers the payments can take, for all drops. Unknown means none."""
    shoppers, reason = 0, PAYMENTS_UNKNOWN
    try:
        for measure in _measures:
            shoppers, reason = measure()
    except Exception:  # whatever is wrong with payments, nobody is let in to them
        log.exception("how many shoppers the payments can take could not be measured")
    return Ceiling(drop=None, kind=Ceiling.Kind.PAYMENT_RATE, shoppers=max(0, shoppers), reason=reason)


def set_ceiling(
    *, drop: Drop | None, kind: Ceiling.Kind, shoppers: int, reason: str, seconds: float | None = None
) -> None:
    """Bound how many shoppers of a drop, or of all drops together, may be in without a hold.

    Replaces the ceiling of that kind. It ends after `seconds`, or never. `reason` is a sentence for ops.
    """
    ends_at = None
    if seconds is not None:
        ends_at = Now() + timedelta(seconds=seconds)
    row = Ceiling(
        drop=drop,
        kind=kind,
        shoppers=max(0, shoppers),
        reason=reason,
        set_at=Now(),
        ends_at=ends_at,
    )
    Ceiling.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["drop", "kind"],
        update_fields=["shoppers", "reason", "set_at", "ends_at"],
    )


def lift_ceiling(*, drop: Drop | None, kind: Ceiling.Kind) -> None:
    """Remove a ceiling. Does nothing if there is none."""
    Ceiling.objects.filter(drop=drop, kind=kind).delete()


def ceilings(*, drop: Drop | None = None) -> QuerySet[Ceiling]:
    """Return the active ceilings: all of them, or those of one drop and those of all drops together."""
    active = Ceiling.objects.filter(Q(ends_at=None) | Q(ends_at__gt=Now()))
    # The release before kept the payments' ceiling as a row; it is measured now.
    active = active.exclude(kind=Ceiling.Kind.PAYMENT_RATE)
    if drop is None:
        return active
    return active.filter(Q(drop=None) | Q(drop=drop))


def payments_per_second() -> float:
    """Return how many payments a second Stripe's rate limit carries."""
    return min(settings.STRIPE_CALLS_PER_OPERATION, settings.STRIPE_CALLS_PER_SECOND / CALLS_PER_PAYMENT)
