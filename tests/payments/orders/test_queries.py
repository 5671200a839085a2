"""The hand-written reads return what the ORM would."""

import uuid

import pytest
from django.forms.models import model_to_dict
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from drops.models import Hold, Pause
from payments.models import Order, Payment
from payments.orders import line_items, queries
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import submit

pytestmark = pytest.mark.django_db


def make_order() -> Order:
    return submit(make_hold(drop=make_drop(phase="live", quantity=5)), "ctoken_1")


def values(row: Hold | Order | Payment) -> dict[str, object]:
    """All of a row's own fields, including those that no form may change."""
    return model_to_dict(row) | {
        field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields
    }


def test_order_details_are_the_rows_of_the_order(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    order = make_order()
    queries.order_details(uuid=order.uuid)  # what was fixed when the drop was announced is cached for a while

    with django_assert_num_queries(1):
        details = queries.order_details(uuid=order.uuid)
        loaded = (details.order.payment.order, details.order.hold, details.hold.drop.product.name)

    assert loaded[:2] == (order, order.hold)
    assert values(details.order) == values(Order.objects.get())
    assert values(details.order.payment) == values(Payment.objects.get())
    assert values(details.hold) == values(Hold.objects.get())
    assert details.items == line_items.of_hold(hold=order.hold)
    assert not details.hold.paused


def test_hold_details_have_no_order_before_the_first_attempt() -> None:
    hold = make_hold(drop=make_drop(phase="live"))

    details = queries.hold_details(uuid=hold.uuid)

    assert (details.hold, details.order, details.hold.paused) == (hold, None, False)
    assert details.items == line_items.of_hold(hold=hold)


def test_hold_details_know_the_order_and_the_pause() -> None:
    order = make_order()
    Pause.objects.create(drop=order.hold.drop, began_at=timezone.now())

    details = queries.hold_details(uuid=order.hold.uuid)

    assert details.order == order
    assert details.hold.paused


def test_payment_has_its_order_and_hold(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    order = make_order()

    with django_assert_num_queries(1):
        payment = queries.payment(order_id=order.pk)
        loaded = (payment.order, payment.order.hold)

    assert loaded == (order, order.hold)
    assert payment == order.payment


def test_details_of_nothing_do_not_exist() -> None:
    with pytest.raises(Hold.DoesNotExist):
        queries.hold_details(uuid=uuid.uuid4())
    with pytest.raises(Order.DoesNotExist):
        queries.order_details(uuid=uuid.uuid4())
    with pytest.raises(Order.DoesNotExist):
        queries.payment(order_id=0)


def test_order_of_a_hold_has_its_payment(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    order = make_order()

    with django_assert_num_queries(1):
        found = queries.order_of(hold=order.hold)
        loaded = found and found.payment

    assert (found, loaded) == (order, order.payment)
    assert queries.order_of(hold=make_hold(drop=make_drop(phase="live"))) is None
