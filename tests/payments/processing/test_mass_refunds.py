"""Refunding all paid orders of a cancelled drop in one go."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from drops.models import Drop, HoldLine, Unit
from payments import invariants
from payments.models import Dispute, Order, Payment, Refund
from payments.processing import mass_refunds, refunds
from payments.processing.mass_refunds import Preview
from payments.processing.refunds import RefundRefused
from shop.core.models import AuditEntry
from tests.conftest import Race
from tests.dropsite.backoffice.test_refunds import cancel, make_paid
from tests.factories import make_drop
from tests.payments.order_factory import TOTAL

pytestmark = pytest.mark.django_db


@pytest.fixture
def drop() -> Drop:
    """A cancelled drop with three paid orders."""
    made = make_drop(phase="live", quantity=9)
    for index in (1, 2, 3):
        make_paid(made, index)
    cancel(made)
    return made


def test_each_order_gets_a_refund_of_its_own(drop: Drop) -> None:
    person = User.objects.create_user("finn")
    seen = mass_refunds.preview(drop=drop)
    assert seen == Preview(count=3, sum=3 * TOTAL)

    mass_refunds.request(drop=drop, seen=seen, by=person)

    for refund in Refund.objects.all():
        line = refund.lines.get()
        assert (refund.amount, refund.shipping, refund.reason, refund.by) == (
            TOTAL,
            490,
            "cancelled drop",
            person,
        )
        assert (line.amount, line.numbers, line.units) == (9600, line.line.numbers, "withheld")
    assert Refund.objects.count() == 3
    assert Unit.objects.filter(withheld_reason="refunded: the drop was cancelled").count() == 3
    assert list(HoldLine.objects.values_list("withheld", flat=True)) == [1, 1, 1]
    assert AuditEntry.objects.get(action="all refunds requested").after["count"] == 3
    assert mass_refunds.preview(drop=drop) == Preview(count=0, sum=0)
    names = [check.name for check in invariants.check(drop=drop, stripe=False) if not check.ok]
    assert names == []


def test_other_orders_are_left_alone(drop: Drop) -> None:
    other = make_drop(phase="live", quantity=1)
    make_paid(other, 9)
    partly, disputed, _whole = Payment.objects.filter(order__hold__drop=drop).order_by("pk")
    Refund.objects.create(payment=partly, amount=1, currency="EUR", livemode=False)
    Dispute.objects.create(
        payment=disputed, stripe_id="du_1", charge_id="ch_2", state="open", stripe_status="x", amount=TOTAL,
        currency="EUR", opened_at=timezone.now(), livemode=False,
    )  # fmt: skip

    assert mass_refunds.preview(drop=drop) == Preview(count=1, sum=TOTAL)
    mass_refunds.request(drop=drop, seen=Preview(count=1, sum=TOTAL), by=None)

    assert Refund.objects.filter(reason="cancelled drop").count() == 1


@pytest.mark.parametrize("seen", [(2, 2 * TOTAL), (3, 3 * TOTAL - 1), (4, 4 * TOTAL), (0, 0)])
def test_nothing_is_refunded_that_nobody_has_seen(drop: Drop, seen: tuple[int, int]) -> None:
    with pytest.raises(RefundRefused, match=r"By now it would be 3 orders and €302\.70"):
        mass_refunds.request(drop=drop, seen=Preview(*seen), by=None)

    assert Refund.objects.count() == 0
    assert not Unit.objects.exclude(withheld_at=None).exists()


def test_of_two_people_at_once_one_refunds(race: Race) -> None:
    drop = make_drop(phase="live", quantity=9)
    for index in (1, 2, 3):
        make_paid(drop, index)
    cancel(drop)
    seen = mass_refunds.preview(drop=drop)

    results: list[Any] = race(2, lambda _i: mass_refunds.request(drop=drop, seen=seen, by=None))

    assert sorted(type(result).__name__ for result in results) == ["NoneType", "RefundRefused"]
    assert Refund.objects.count() == 3


def test_one_by_one_beside_all_at_once_takes_no_more_than_was_paid(race: Race) -> None:
    drop = make_drop(phase="live", quantity=9)
    order: Order = make_paid(drop, 1)
    cancel(drop)
    seen = mass_refunds.preview(drop=drop)

    def act(number: int) -> object:
        one = Order.objects.select_related("payment", "hold__drop").get(pk=order.pk)
        if not number:
            return refunds.request(order=one, parts=[], goodwill=TOTAL, reason="goodwill", by=None)
        mass_refunds.request(drop=drop, seen=seen, by=None)
        return None

    results = race(2, act)

    assert sum(isinstance(result, RefundRefused) for result in results) == 1, results
    assert sum(refund.amount for refund in Refund.objects.all()) == TOTAL
