"""The order page in each of its states."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from drops.models import Unit
from payments.models import Attempt, Order, Payment
from tests.payments.views.shopping import address, bring, make_order, order_address, pay, queued, text

pytestmark = pytest.mark.django_db


def test_order_page_says_that_we_wait_for_the_bank(shopper: Client) -> None:
    order = make_order(shopper)

    page, state = shopper.get(order_address(order)), shopper.get(order_address(order, "state.json"))

    shown = (
        "We're waiting for your bank. Please don't pay again; this page updates by itself. "
        "You can't be charged twice."
    )
    assert shown in text(page)
    assert order.number in text(page)
    assert "If this page doesn't update by itself, reload it. Your payment continues without it." in text(
        page
    )
    assert state.json() == {"state": "asking", "message": shown, "final": False}
    assert state["Cache-Control"] == "no-store"


def test_order_page_confirms_a_paid_order(shopper: Client) -> None:
    order = make_order(shopper)
    number = Unit.objects.get(hold=order.hold).number
    bring(order, "captured", "allocated")

    page = shopper.get(order_address(order))

    shown = text(page)
    assert f"Yours: No. {number} of 500." in shown
    assert "You've been charged €100.90. Your confirmation is on its way to ada@example.com." in shown
    assert "Total €100.90" in shown
    assert "1 Loopback Lane 10115 Berlin Germany" in shown
    assert shopper.get(order_address(order, "state.json")).json()["final"] is True


def test_order_page_leads_back_to_a_filled_in_checkout_after_a_decline(shopper: Client) -> None:
    order = make_order(shopper)
    number = Unit.objects.get(hold=order.hold).number
    bring(order, "created", "open", declines=1)

    page, again = shopper.get(order_address(order)), shopper.get(address(order.hold))

    assert (
        f"Your bank declined the payment. You haven't been charged. No. {number} is held for you until"
        in text(page)
    )
    assert f'href="{address(order.hold)}"' in page.content.decode()
    assert again.status_code == 200
    assert (
        f"Your bank declined the payment. You haven't been charged. No. {number} is held for you until"
        in text(again)
    )
    assert 'value="1 Loopback Lane"' in again.content.decode()
    assert '<option value="JP"' not in again.content.decode()


def test_pay_again_after_a_decline_continues_the_same_order(shopper: Client) -> None:
    order = make_order(shopper)
    bring(order, "created", "open", declines=1)

    answer = pay(shopper, order.hold, line1="2 Loopback Lane", confirmation_token="ctoken_2DEF")

    assert (answer.status_code, answer.json()) == (202, {"order": order_address(order)})
    assert Order.objects.get().line1 == "2 Loopback Lane"
    assert list(Attempt.objects.values_list("state", flat=True)) == ["declined", "queued"]


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        (
            "lost",
            (
                "The last piece was sold while your bank was processing. You haven't been charged; "
                "any pending amount will disappear from your statement."
            ),
        ),
        (
            "released",
            "Your hold ended before you paid. You haven't been charged. Your hold has been released.",
        ),
    ],
)
def test_order_page_says_that_nothing_was_charged(shopper: Client, reason: str, shown: str) -> None:
    order = make_order(shopper)
    bring(order, "voided", "released", void_reason=reason)

    page = shopper.get(order_address(order))

    assert shown in text(page)
    assert "failed" not in text(page)
    assert shopper.get(order_address(order, "state.json")).json()["state"] == "over"


def test_order_state_enqueues_an_order_that_has_stalled(shopper: Client) -> None:
    order = make_order(shopper)
    queued("capture")
    bring(order, "capturing", "allocated", decision="capture")
    shopper.get(order_address(order, "state.json"))
    assert queued("capture") == []
    Payment.objects.filter(order=order).update(changed_at=timezone.now() - timedelta(seconds=11))

    shopper.get(order_address(order, "state.json"))

    assert queued("capture") == [order.pk]


def test_order_state_takes_few_queries(
    shopper: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    order = make_order(shopper)

    with django_assert_max_num_queries(2):
        shopper.get(order_address(order, "state.json"))
