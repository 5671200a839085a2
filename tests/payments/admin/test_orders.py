"""An order in the admin: found by number or email, shown whole, checked with Stripe."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from drops.models import Hold, Unit
from dropsite.celery import app
from payments import dispatch
from payments.models import Attempt, Event, LedgerEntry, Order, Payment
from shop.core import outbox
from shop.core.models import AuditEntry
from tests.admin_clients import LogIn, queries
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import submit

LIST = reverse("admin:payments_order_changelist")


def make_order(**fields: Any) -> Any:
    return submit(make_hold(drop=make_drop(phase="live", quantity=500)), "ctoken_1", **fields)


def make_paid_order() -> Any:
    order, now = make_order(), timezone.now()
    Hold.objects.filter(pk=order.hold_id).update(state="allocated", ended_at=now)
    Attempt.objects.filter(payment__order=order).update(state="authorised", sent_at=now, ended_at=now)
    Payment.objects.filter(order=order).update(
        state="captured",
        decision="capture",
        intent_id=f"pi_{order.pk}",
        charge_id=f"ch_{order.pk}",
        captured_at=now,
    )
    LedgerEntry.objects.create(
        order=order,
        kind="capture",
        amount=order.total,
        currency="EUR",
        stripe_id=f"ch_{order.pk}",
        livemode=False,
    )
    Event.objects.create(id=f"evt_{order.pk}", type="payment_intent.succeeded", livemode=False, payload={})
    outbox.put_email(
        kind="placed", about=f"order:{order.uuid}", to=order.email, subject="It is yours", text="", html=""
    )
    return order


def page(order: Order, name: str = "change") -> Any:
    return reverse(f"admin:payments_order_{name}", args=[order.pk])


def test_order_page_shows_everything_about_the_order(log_in: LogIn) -> None:
    order = make_paid_order()
    number = Unit.objects.get(hold=order.hold).number

    text = log_in("ops").get(page(order)).content.decode()

    wanted = [
        f"No. {number} of 500",
        "Paid. It&#x27;s yours.",
        "authorised",
        f"ch_{order.pk}",
        "€100.90",
        "€96",
        "10115",
    ]
    assert [words for words in wanted if words not in text] == []
    assert "Check with Stripe" not in text


@pytest.mark.parametrize("field", ["number", "email", "name"])
def test_search_finds_an_order_by_number_email_and_name(log_in: LogIn, field: str) -> None:
    order, other = make_order(), make_order()
    Order.objects.filter(pk=other.pk).update(email="else@example.org", name="Somebody Else")

    answer = log_in("ops").get(LIST, {"q": getattr(order, field)})

    assert [found.pk for found in answer.context["cl"].result_list] == [order.pk]


def test_check_with_stripe_enqueues_the_order_for_capture(log_in: LogIn) -> None:
    order, own = make_order(), app.conf.broker_url
    app.conf.update(broker_url="memory://")
    with app.connection_for_write("memory://") as connection:
        purge: Any = connection.channel()  # of the memory transport, which the stubs don't know
        purge.queue_purge("capture")  # what other tests have left there
    try:
        answer = log_in("ops").post(page(order, "check"))
        with app.connection_for_read("memory://") as connection:
            channel: Any = connection.channel()  # of the memory transport, which the stubs don't know
            sent = channel.message_to_python(channel.basic_get("capture", no_ack=True)).payload[1]
    finally:
        app.conf.update(broker_url=own)
        dispatch.Broker.at.cache_clear()

    assert (answer.status_code, sent) == (302, {"order_id": order.pk})
    assert list(AuditEntry.objects.values_list("actor__username", "about", "action")) == [
        ("ops", f"order:{order.number}", "checked with Stripe")
    ]


def test_check_with_stripe_needs_a_post_and_permission(log_in: LogIn) -> None:
    order = make_order()

    assert log_in("ops").get(page(order, "check")).status_code == 405
    assert log_in("merchandisers").post(page(order, "check")).status_code == 403
    assert AuditEntry.objects.count() == 0


def test_merchandisers_may_not_see_orders(log_in: LogIn) -> None:
    client = log_in("merchandisers")

    assert client.get(LIST).status_code == 403
    assert client.get(page(make_order())).status_code == 403


def test_order_cannot_be_changed_or_deleted(log_in: LogIn) -> None:
    order = make_order()
    client = log_in("ops")

    assert client.post(page(order), {"email": "else@example.org"}).status_code == 403
    assert client.post(page(order, "delete"), {"post": "yes"}).status_code == 403
    assert Order.objects.get().email == "ada@example.com"


@pytest.mark.parametrize("model", ["order", "payment", "attempt", "event", "ledgerentry"])
def test_lists_take_as_many_queries_for_three_rows_as_for_one(log_in: LogIn, model: str) -> None:
    client, address = log_in("ops"), reverse(f"admin:payments_{model}_changelist")
    make_paid_order()
    one, _answer = queries(client, address)
    make_paid_order()
    make_paid_order()

    three, answer = queries(client, address)

    assert (three, len(answer.context["cl"].result_list)) == (one, 3)
