"""Outcomes that nobody was there to see are written to the shopper; those that a page has shown aren't."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from payments.models import Attempt, Order, Payment
from payments.orders import links
from payments.processing import outcomes
from shop.core.models import Email
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import submit
from tests.payments.views.shopping import address, bring, order_address

pytestmark = pytest.mark.django_db


def ended(payment: str = "voided", hold: str = "released", minutes: float = 3, **fields: Any) -> Order:
    """An order whose payment came to this end some minutes ago."""
    order = submit(make_hold(drop=make_drop(phase="live")), "ctoken_1")
    bring(order, payment, hold, **fields)
    Payment.objects.filter(order=order).update(changed_at=F("changed_at") - timedelta(minutes=minutes))
    return Order.objects.select_related("payment", "hold").get(pk=order.pk)


def declined(**fields: Any) -> Order:
    return ended("created", "open", **({"declines": 1} | fields))


def emails() -> list[tuple[str, str]]:
    return [(email.kind, email.text) for email in Email.objects.order_by("created_at")]


def test_a_decline_is_written_once_with_the_way_to_try_again() -> None:
    order = declined()

    assert [outcomes.mail_unseen(), outcomes.mail_unseen()] == [1, 0]

    [(kind, text)] = emails()
    assert kind == "payment declined 1"
    assert "Your bank declined the payment. You haven't been charged." in text
    assert "You can try again as long as your hold lasts" in text
    assert links.order_url(order) in text


def test_each_decline_is_written() -> None:
    order = declined()
    outcomes.mail_unseen()
    submit(order.hold, "ctoken_2")
    assert outcomes.mail_unseen() == 0
    bring(order, "created", "open", declines=2)
    Payment.objects.update(changed_at=F("changed_at") - timedelta(minutes=3))

    assert outcomes.mail_unseen() == 1

    assert [kind for kind, _text in emails()] == ["payment declined 1", "payment declined 2"]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("not authenticated", "within ten minutes"),
        ("withdrawn", "We couldn't reach your bank in time."),
        ("lost", "The last piece was sold"),
        ("declined", "three times"),
        ("refused", "withdrew the authorisation"),
        ("cancelled", "This drop was cancelled."),
    ],
)
def test_the_reason_of_a_void_is_written(reason: str, said: str) -> None:
    ended(void_reason=reason)

    assert outcomes.mail_unseen() == 1

    [(kind, text)] = emails()
    assert kind == "payment ended"
    assert said in text
    assert "You can try again" not in text


@pytest.mark.parametrize(
    "make",
    [
        lambda: ended(void_reason="released"),  # by the shopper, or it lapsed after a decline
        lambda: ended(void_reason="declined", minutes=1),  # a page may still show it
        lambda: ended(void_reason="declined", minutes=60 * 25),
        lambda: ended("captured", "allocated"),
        lambda: ended("confirming", "paying"),
        lambda: ended("created", "open", declines=0),
    ],
)
def test_nothing_else_is_written(make: Any) -> None:
    make()

    assert outcomes.mail_unseen() == 0


def test_nothing_is_written_while_the_shopper_tries_again() -> None:
    declined()
    Attempt.objects.update(state="queued", sent_at=None)

    assert outcomes.mail_unseen() == 0


@pytest.mark.parametrize("page", ["order", "state.json", "checkout"])
def test_what_a_page_has_shown_is_not_written(client: Client, page: str) -> None:
    order = declined()
    pages = {"order": order_address(order), "state.json": order_address(order, page)}

    assert client.get(pages.get(page, address(order.hold))).status_code == 200

    assert outcomes.mail_unseen() == 0


def test_a_page_that_shows_the_bank_being_asked_has_shown_no_outcome(client: Client) -> None:
    order = ended("confirming", "paying")
    client.get(order_address(order, "state.json"))
    bring(order, "voided", "released", void_reason="lost")
    Payment.objects.update(changed_at=F("changed_at") - timedelta(minutes=3))

    assert outcomes.mail_unseen() == 1


def test_a_text_that_cannot_be_written_holds_up_no_other() -> None:
    broken, sound = ended(void_reason="lost"), ended(void_reason="lost")
    Email.objects.create(kind="payment ended", about=f"order:{broken.uuid}", to="a@b.example", subject="x")
    Payment.objects.filter(order=broken).update(void_reason="no such reason")

    assert outcomes.mail_unseen() == 1

    assert Email.objects.filter(about=f"order:{sound.uuid}").count() == 1
    assert Payment.objects.get(order=broken).outcome_seen_at is None
