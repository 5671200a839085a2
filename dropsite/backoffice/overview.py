"""A drop across all apps: waiting room, holds, units, orders and money. Reads only."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet, Sum, TextChoices

from drops import admission, lifecycle, stock
from drops.models import Ceiling, Checkpoint, Drop, Edition, Hold
from dropsite.backoffice import refunds
from payments.models import LedgerEntry, Payment
from shop.core import money


@dataclass(frozen=True)
class EditionRow:
    """One edition with its units."""

    edition: Edition
    price: str
    count: stock.UnitCounts


@dataclass(frozen=True)
class Overview:
    """One drop at one moment."""

    drop: Drop
    phase: lifecycle.Phase
    now: datetime
    line: Checkpoint | None
    ceilings: list[Ceiling]
    editions: list[EditionRow]
    holds: list[tuple[str, int]]  # state, how many
    payments: list[tuple[str, int]]
    orders: int
    paid: int
    captured: str  # from the ledger
    to_refund: refunds.Summary | None  # None unless the drop was cancelled

    @property
    def total(self) -> stock.UnitCounts:
        """Units of all editions together."""
        counts = [row.count for row in self.editions]
        return stock.UnitCounts(
            free=sum(count.free for count in counts),
            held=sum(count.held for count in counts),
            sold=sum(count.sold for count in counts),
            withheld=sum(count.withheld for count in counts),
        )

    @property
    def next_change(self) -> datetime | None:
        """The time at which the clock alone changes the phase next."""
        return lifecycle.next_change(drop=self.drop, now=self.now)


def read(*, drop: Drop, now: datetime) -> Overview:
    """Read the drop's overview at `now`."""
    counts = stock.counts(drop=drop)
    editions = drop.editions.select_related("variant__product")
    holds = count_by_state(Hold.objects.filter(drop=drop), Hold.State)
    payments = count_by_state(Payment.objects.filter(order__hold__drop=drop), Payment.State)
    entries = LedgerEntry.objects.filter(order__hold__drop=drop, kind=LedgerEntry.Kind.CAPTURE)
    captured = entries.aggregate(sum=Sum("amount"))["sum"] or 0
    phase = lifecycle.phase(drop=drop, now=now)
    ceilings = list(admission.ceilings(drop=drop))
    if phase in lifecycle.SELLING_PHASES:
        ceilings.append(admission.payment_ceiling())
    return Overview(
        drop=drop,
        phase=phase,
        now=now,
        line=Checkpoint.objects.filter(drop=drop).first(),
        ceilings=sorted(ceilings, key=lambda ceiling: ceiling.shoppers),
        editions=[
            EditionRow(
                edition=edition,
                price=money.format_amount(amount=edition.price, currency=drop.currency),
                count=counts.get(edition.pk, stock.NO_UNITS),
            )
            for edition in editions
        ],
        holds=holds,
        payments=payments,
        orders=sum(count for _state, count in payments),
        paid=dict(payments).get(Payment.State.CAPTURED, 0),
        captured=money.format_amount(amount=captured, currency=drop.currency),
        to_refund=refunds.summary(drop=drop),
    )


def count_by_state(rows: QuerySet[Any], states: type[TextChoices]) -> list[tuple[str, int]]:
    """Return counts by state, in the order of the states; a state without rows counts 0."""
    found = dict(rows.order_by().values_list("state").annotate(Count("pk")))
    return [(str(state), found.get(state, 0)) for state in states]
