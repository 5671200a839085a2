"""The ceilings of a tick, each a count of shoppers with its reason in words for ops."""

from collections.abc import Sequence

from django.conf import settings
from django.utils.translation import gettext as _

from drops import admission
from drops.models import Ceiling
from drops.waitingroom.gatekeeper import allocation
from drops.waitingroom.gatekeeper.allocation import Bound
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot


def shared(*, standing: Sequence[Ceiling], busy: int) -> list[Bound]:
    """Give the ceilings of all drops together. `busy` holds are open or being paid for."""
    bounds = [slots(busy=busy), *(Bound(row.shoppers, row.reason) for row in standing if row.drop_id is None)]
    if not any(row.drop_id is None and row.kind == Ceiling.Kind.READY_CAPACITY for row in standing):
        bounds.append(baseline())
    return bounds


def slots(*, busy: int) -> Bound:
    """Give what the checkout has room for."""
    free = max(0, settings.CHECKOUT_SLOTS - busy)
    text = _("Checkout: %(free)s of %(all)s slots are free.") % {"free": free, "all": settings.CHECKOUT_SLOTS}
    return Bound(free, text)


def baseline() -> Bound:
    """Give what the stack can admit as it is, nothing having been scaled."""
    text = _("Capacity: %(rate)s shoppers a second, the baseline.") % {"rate": settings.READY_PER_SECOND}
    return Bound(settings.READY_PER_SECOND * admission.AHEAD_SECONDS, text)


def own(*, standing: Sequence[Ceiling], row: DropSnapshot) -> tuple[Bound, ...]:
    """Give the ceilings of one drop: its stock, and what was set for it."""
    shoppers = allocation.shoppers_for_stock(free=row.free, taken=row.taken, holds=row.holds.live)
    stock = Bound(shoppers, _("Stock: %(free)s units are free.") % {"free": row.free})
    return stock, *(Bound(line.shoppers, line.reason) for line in standing if line.drop_id == row.drop.pk)
