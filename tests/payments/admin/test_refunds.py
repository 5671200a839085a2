"""Refunding an order in the admin: asked twice, refused with what was typed kept, and listed with advice."""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from drops.models import Unit
from payments.models import Order, OrderLine, Payment, Refund, RefundLine
from payments.orders import emails
from payments.processing import money_alerts
from shop.core.models import Alert
from tests.admin_clients import LogIn
from tests.payments.admin.test_orders import make_order, make_paid_order

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> Order:
    return Order.objects.get(pk=make_paid_order().pk)


def address(order: Order, name: str = "refund") -> str:
    return reverse(f"admin:payments_order_{name}", args=[order.pk])


def fields(order: Order, **given: Any) -> dict[str, Any]:
    line = OrderLine.objects.get(order=order)
    form = {"reason": "damaged", f"units-{line.pk}": "withheld"}
    return form | {name.replace("_line", f"-{line.pk}"): value for name, value in given.items()}


def post(client: Client, order: Order, **given: Any) -> Any:
    return client.post(address(order), fields(order, **given))


def test_refund_is_asked_for_twice_and_then_requested(log_in: LogIn, order: Order) -> None:
    client, number = log_in("ops"), OrderLine.objects.get().numbers[0]
    typed = {"amount_line": "96", "numbers_line": number, "shipping": "4.90", "note": "Broken on arrival."}

    first = post(client, order, **typed)

    assert Refund.objects.count() == 0
    asked = re.search(r'name="confirmed"\s+value="(\d+)"', first.content.decode())
    assert asked is not None
    assert "Refund €100.90?" in first.content.decode()
    second = post(client, order, **typed, confirmed=asked[1])
    assert second.status_code == 302
    refund = Refund.objects.get()
    assert (refund.amount, refund.shipping, refund.reason) == (10090, 490, "damaged")
    assert (refund.note, str(refund.by)) == ("Broken on arrival.", "ops")
    assert RefundLine.objects.get().numbers == [number]
    assert Unit.objects.filter(hold=order.hold).count() == 0
    page = client.get(address(order, "change")).content.decode()
    assert "It is sent within seconds, once the payment is captured." in page
    assert f"No. {number}" in page
    emails.put_refund(order=order, refund=refund)
    assert "€100.90 refunded" in client.get(address(order, "change")).content.decode()


def test_a_sum_that_changed_is_asked_for_again(log_in: LogIn, order: Order) -> None:
    client = log_in("ops")

    answer = post(client, order, goodwill="10", confirmed="100")

    assert Refund.objects.count() == 0
    assert "Refund €10?" in answer.content.decode()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Amount: enter what to refund"),
        ({"goodwill": "100.91"}, "Amount: only €100.90 of this payment is left to refund."),
        ({"shipping": "5"}, "Shipping: only €4.90 of it is left to refund."),
        ({"amount_line": "96.01"}, "only €96 of it is left to refund."),
    ],
)
def test_refusal_keeps_what_was_typed(log_in: LogIn, order: Order, given: dict[str, Any], said: str) -> None:
    sums = {"goodwill": 10091, "shipping": 500, "amount_line": 9601}
    confirmed = str(sum(sums[name] for name in given))

    text = post(log_in("ops"), order, **given, note="Typed", confirmed=confirmed).content.decode()

    assert said in text
    assert 'value="Typed"' in text
    assert all(f'value="{value}"' in text for value in given.values())
    assert Refund.objects.count() == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"goodwill": "1.0012"}, "EUR has 2 decimal places."),
        ({"goodwill": "1.001"}, "can mean €1,001 or €1.001"),
        ({"goodwill": "-1"}, "Enter an amount above 0, or leave it empty."),
        ({"amount_line": "−1", "goodwill": "5"}, "Enter"),
        ({"goodwill": "$5"}, "Enter it in EUR."),
        ({"numbers_line": "999999"}, "999999 is not one of the available choices."),
        ({"reason": "x"}, "x is not one of the available choices."),
    ],
)
def test_bad_input_is_refused_by_its_field(
    log_in: LogIn, order: Order, given: dict[str, Any], said: str
) -> None:
    answer = post(log_in("ops"), order, **given)

    assert said in answer.content.decode()
    assert "confirmed" not in answer.content.decode()


@pytest.mark.parametrize("group", ["merchandisers", None])
def test_only_those_who_may_refund(log_in: LogIn, order: Order, group: str | None) -> None:
    client = log_in(group)

    assert client.get(address(order)).status_code == 403
    assert post(client, order, goodwill="1", confirmed="100").status_code == 403
    assert Refund.objects.count() == 0


def test_nothing_is_offered_where_nothing_is_left(log_in: LogIn, order: Order) -> None:
    client = log_in("ops")
    assert address(order) in client.get(address(order, "change")).content.decode()
    post(client, order, goodwill="100.90", confirmed="10090")

    assert address(order) not in client.get(address(order, "change")).content.decode()


class TestCancelling:
    """An order whose payment isn't decided yet."""

    @pytest.fixture
    def undecided(self) -> Order:
        return Order.objects.get(pk=make_order().pk)

    def test_is_asked_for_first_and_then_done(self, log_in: LogIn, undecided: Order) -> None:
        client, page = log_in("ops"), address(undecided, "cancel")
        assert page in client.get(address(undecided, "change")).content.decode()

        assert "This can't be undone." in client.get(page).content.decode()
        assert Payment.objects.get().decision == ""
        assert client.post(page).status_code == 302

        assert (Payment.objects.get().decision, Payment.objects.get().void_reason) == ("void", "shop")
        assert page not in client.get(address(undecided, "change")).content.decode()

    def test_says_what_to_do_instead(self, log_in: LogIn, order: Order) -> None:
        client = log_in("ops")

        for answer in (client.get(address(order, "cancel")), client.post(address(order, "cancel"))):
            assert "so it is captured. Refund it instead." in answer.content.decode()

    @pytest.mark.parametrize("group", ["merchandisers", None])
    def test_is_for_those_who_may_refund(self, log_in: LogIn, undecided: Order, group: str | None) -> None:
        assert log_in(group).post(address(undecided, "cancel")).status_code == 403
        assert Payment.objects.get().decision == ""


class TestPiecesOfADashboardsRefund:
    """A refund that was made in Stripe's dashboard: somebody says what becomes of the pieces."""

    @pytest.fixture
    def made(self, order: Order) -> Refund:
        return Refund.objects.create(
            payment=order.payment, origin="stripe", state="succeeded", amount=9600, goodwill=9600,
            currency="EUR", livemode=False, stripe_id="re_1", sent_at=timezone.now(),
        )  # fmt: skip

    def page(self, refund: Refund) -> str:
        return reverse("admin:payments_order_units", args=[refund.payment.order_id, refund.pk])

    @pytest.mark.parametrize(("units", "left"), [("withheld", 0), ("kept", 1)])
    def test_is_noted_once(self, log_in: LogIn, order: Order, made: Refund, units: str, left: int) -> None:
        client, line = log_in("ops"), OrderLine.objects.get()
        money_alerts.refunded_elsewhere(order.payment, refund=made)
        assert self.page(made) in client.get(address(order, "change")).content.decode()
        typed = {f"numbers-{line.pk}": line.numbers, f"units-{line.pk}": units}

        assert client.post(self.page(made), typed).status_code == 302

        assert Unit.objects.filter(hold=order.hold).count() == left
        assert (RefundLine.objects.get().numbers, RefundLine.objects.get().amount) == (line.numbers, 0)
        assert not Alert.objects.open().exists()
        assert client.post(self.page(made), typed).status_code == 404

    def test_may_be_of_no_piece(self, log_in: LogIn, order: Order, made: Refund) -> None:
        line = OrderLine.objects.get()

        assert log_in("ops").post(self.page(made), {f"units-{line.pk}": "kept"}).status_code == 302

        assert Refund.objects.get().units_decided_at is not None
        assert not RefundLine.objects.exists()

    def test_is_for_those_who_may_refund(self, log_in: LogIn, made: Refund) -> None:
        assert log_in("merchandisers").get(self.page(made)).status_code == 403
