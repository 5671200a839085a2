"""The list of refunds due: for merchandisers, without a word about shoppers."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from drops import drop_actions
from drops.models import Drop, Hold
from dropsite.backoffice.refunds import Summary
from payments.models import LedgerEntry, Order, Payment, Refund
from payments.processing import refunds
from tests.admin_clients import LogIn
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import TOTAL, submit

pytestmark = pytest.mark.django_db


def make_paid(drop: Drop, index: int, *, refunded: int = 0) -> Order:
    order = submit(make_hold(drop=drop, index=index), f"ctoken_{index}")
    now = timezone.now()
    Hold.objects.filter(pk=order.hold_id).update(state="allocated", ended_at=now)
    Payment.objects.filter(order=order).update(
        state="captured",
        decision="capture",
        captured_at=now,
        intent_id=f"pi_{index}",
        charge_id=f"ch_{index}",
    )
    money: dict[str, Any] = {"order": order, "currency": "EUR", "livemode": False}
    LedgerEntry.objects.create(**money, kind="capture", amount=TOTAL, stripe_id=f"ch_{index}")
    if refunded:
        LedgerEntry.objects.create(**money, kind="refund", amount=-refunded, stripe_id=f"re_{index}")
    return order


def cancel(drop: Drop) -> None:
    drop_actions.cancel(drop=drop, actor=None)
    refunds.list_due()


def page(drop: Drop) -> str:
    return reverse("admin:drops_drop_refunds", args=[drop.pk])


def test_list_has_each_charged_order_with_what_is_left_of_its_money(log_in: LogIn) -> None:
    drop, other = make_drop(phase="live", quantity=9), make_drop(phase="live")
    whole, partly, _refunded = (
        make_paid(drop, 1),
        make_paid(drop, 2, refunded=90),
        make_paid(drop, 3, refunded=TOTAL),
    )
    waiting = submit(make_hold(drop=drop, index=4), "ctoken_4")
    Payment.objects.filter(order=waiting).update(state="confirming", intent_id="pi_4")
    make_paid(other, 5)
    cancel(drop)

    answer = log_in("merchandisers").get(page(drop))

    rows = [(payment.order.number, payment.intent_id, amount) for payment, amount in answer.context["rows"]]
    assert rows == [(whole.number, "pi_1", "€100.90"), (partly.number, "pi_2", "€100")]
    assert answer.context["refunds"] == Summary(count=2, sum="€200.90", undecided=1)
    shown = answer.content.decode()
    assert "ada@example.com" not in shown
    assert "Loopback" not in shown
    assert (
        "List of refunds due"
        in log_in("ops").get(reverse("admin:drops_drop_change", args=[drop.pk])).content.decode()
    )


def test_list_is_a_file_too(log_in: LogIn) -> None:
    drop = make_drop(phase="live", slug="zero")
    order = make_paid(drop, 1)
    cancel(drop)

    answer = log_in("merchandisers").get(page(drop), {"format": "csv"})

    head, row = answer.content.decode().splitlines()
    assert answer["Content-Disposition"] == 'attachment; filename="refunds-zero.csv"'
    assert head == "order,amount,currency,payment,charge,charged at"
    assert row.startswith(f"{order.number},100.90,EUR,pi_1,ch_1,20")


@pytest.mark.parametrize("number", ["0", "2", "x", "-1", "9" * 5000])
def test_list_shows_a_page_for_any_number(log_in: LogIn, number: str) -> None:
    drop = make_drop(phase="cancelled")

    assert log_in("merchandisers").get(page(drop), {"page": number}).status_code == 200


@pytest.mark.parametrize(("group", "phase", "status"), [
    ("merchandisers", "cancelled", 200), ("ops", "cancelled", 200), (None, "cancelled", 403),
    ("merchandisers", "live", 404), ("merchandisers", "closed", 404),
])  # fmt: skip
def test_list_is_for_those_who_see_drops(log_in: LogIn, group: str | None, phase: str, status: int) -> None:
    assert log_in(group).get(page(make_drop(phase=phase))).status_code == status


def test_all_are_refunded_by_those_who_may(log_in: LogIn) -> None:
    drop = make_drop(phase="live", quantity=9)
    make_paid(drop, 1)
    make_paid(drop, 2)
    cancel(drop)
    client = log_in("ops")
    text = client.get(page(drop)).content.decode()
    assert "Refund 2 orders, €201.80" in text

    wrong = client.post(page(drop), {"count": "2", "sum": "1"}, follow=True).content.decode()
    assert "so nothing was refunded. Look again." in wrong
    empty = client.post(page(drop), {}, follow=True).content.decode()
    assert "Nothing was refunded: the form had no count and sum." in empty
    assert Refund.objects.count() == 0

    done = client.post(page(drop), {"count": "2", "sum": str(2 * TOTAL)}, follow=True).content.decode()
    assert "2 refunds are requested, €201.80 in all." in done
    assert Refund.objects.count() == 2


def test_merchandisers_read_the_list_and_refund_nothing(log_in: LogIn) -> None:
    drop = make_drop(phase="live", quantity=9)
    make_paid(drop, 1)
    cancel(drop)
    client = log_in("merchandisers")

    assert "Refund 1 order" not in client.get(page(drop)).content.decode()
    assert client.post(page(drop), {"count": "1", "sum": str(TOTAL)}).status_code == 403
    assert Refund.objects.count() == 0
