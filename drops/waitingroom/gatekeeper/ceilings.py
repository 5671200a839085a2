"""The ceilings of a tick, each a number of shoppers with its reason as a sentence for ops."""

from collections.abc import Sequence

from django.conf import settings

from drops import admission
from drops.models import Ceiling
from drops.waitingroom.gatekeeper import allocation
from drops.waitingroom.gatekeeper.allocation import Bound
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot


def shared(*, active: Sequence[Ceiling], busy: int) -> list[Bound]:
    """Return the ceilings of all drops together. `busy` holds are open or being paid for."""
    rows = [row for row in active if row.drop_id is None]
    bounds = [slots(busy=busy), *(Bound(row.shoppers, row.reason) for row in rows)]
    if not any(row.kind == Ceiling.Kind.READY_CAPACITY for row in rows):
        bounds.append(baseline())
    return bounds


def slots(*, busy: int) -> Bound:
    """Return how many more shoppers the checkout has room for."""
    free = max(0, settings.CHECKOUT_SLOTS - busy)
    return Bound(free, f"Checkout: {free} of {settings.CHECKOUT_SLOTS} slots are free.")


def baseline() -> Bound:
    """Return what the shop can admit without pre-scaling."""
    rate = settings.READY_PER_SECOND
    return Bound(rate * admission.AHEAD_SECONDS, f"Capacity: {rate} shoppers per second, the baseline.")


def own(*, active: Sequence[Ceiling], snapshot: DropSnapshot) -> tuple[Bound, ...]:
    """Return the ceilings of one drop: its stock, and those that were set for it."""
    shoppers = allocation.shoppers_for_stock(
        free=snapshot.free, taken=snapshot.taken, holds=snapshot.holds.live
    )
    stock = Bound(shoppers, f"Stock: {snapshot.free} units are free.")
    rows = [row for row in active if row.drop_id == snapshot.drop.pk]
    return stock, *(Bound(row.shoppers, row.reason) for row in rows)
