"""Units counted as free, held, sold and withheld, and the band that they make."""

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from drops import stock
from drops.models import Unit
from drops.stock import UnitCounts
from tests.factories import make_drop, make_edition, make_hold

pytestmark = pytest.mark.django_db


def test_counts_separates_free_held_sold_and_withheld_units() -> None:
    drop = make_drop(phase="live", quantity=9)
    first = drop.editions.get()
    second = make_edition(drop=drop, quantity=1)
    for index, state in enumerate(["open", "paying", "allocated", "released"]):
        make_hold(drop=drop, index=index, quantities={first.pk: 2 if state == "paying" else 1}, state=state)
    unit = Unit.objects.filter(edition=first, hold=None)[0]
    Unit.objects.filter(pk=unit.pk).update(withheld_at=timezone.now(), withheld_reason="scratched")

    counts = stock.counts(drop=drop)

    assert counts == {
        first.pk: UnitCounts(free=4, held=3, sold=1, withheld=1),
        second.pk: UnitCounts(free=1, held=0, sold=0, withheld=0),
    }
    assert counts[first.pk].total == 9
    assert counts[second.pk].total == 1


def test_counts_leaves_out_other_drops() -> None:
    drop, other = make_drop(phase="live", quantity=1), make_drop(phase="live", quantity=5)
    make_hold(drop=other)

    assert stock.counts(drop=drop) == {drop.editions.get().pk: UnitCounts(free=1, held=0, sold=0, withheld=0)}


def test_counts_of_several_drops_takes_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    drops = [make_drop(quantity=quantity) for quantity in (1, 2, 3)]

    with django_assert_num_queries(1):
        counts = stock.counts_of(drops=drops)

    assert sorted(count.free for count in counts.values()) == [1, 2, 3]


@pytest.mark.parametrize(
    ("free", "held", "sold", "band"),
    [
        (10, 0, 0, "in"),
        (11, 0, 89, "in"),
        (10, 0, 90, "low"),
        (1, 9, 90, "low"),
        (1, 0, 0, "in"),
        (0, 1, 99, "held"),
        (0, 0, 100, "gone"),
    ],
)
def test_band_names_how_much_is_left(free: int, held: int, sold: int, band: str) -> None:
    assert stock.band(UnitCounts(free=free, held=held, sold=sold, withheld=0)) == band


def test_band_of_withheld_units_is_gone() -> None:
    assert stock.band(UnitCounts(free=0, held=0, sold=1, withheld=1)) == "gone"
