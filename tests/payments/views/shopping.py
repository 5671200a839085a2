"""Shopping over HTTP, and the work of the workers in the meantime."""

import re
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from drops import tokens
from drops.models import Hold, Unit
from dropsite.celery import app
from payments.models import Attempt, Order, Payment
from payments.orders import links
from tests.factories import make_drop, make_hold

TOTAL = 9600 + 490  # a piece and its way to Germany
GOOD = {
    "email": "ada@example.com",
    "name": "Ada L.",
    "line1": "1 Loopback Lane",
    "line2": "",
    "postcode": "10115",
    "city": "Berlin",
    "region": "",
    "country": "DE",
    "shown_total": TOTAL,
    "shown_version": 1,
    "confirmation_token": "ctoken_1ABC",
}
JSON = {"Accept": "application/json"}


def queued(name: str) -> list[int]:
    """Take the order ids that wait in a queue."""
    with app.connection_for_read() as connection:
        channel: Any = connection.channel()  # of the memory transport, which the stubs don't know
        found = []
        while message := channel.basic_get(name, no_ack=True):
            found.append(channel.message_to_python(message).payload[1]["order_id"])
    return found


def make_open_hold(**fields: Any) -> Hold:
    return make_hold(drop=make_drop(phase="live", quantity=500), **fields)


def address(hold: Hold, end: str = "") -> str:
    return f"/holds/{tokens.hold_token(hold.uuid)}/{end}"


def order_address(order: Order, end: str = "") -> str:
    return f"/orders/{links.order_token(order.uuid)}/{end}"


def text(answer: Any) -> str:
    """The text of a page, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).replace("&#x27;", "'").split())


def pay(shopper: Client, hold: Hold, headers: dict[str, str] = JSON, **fields: Any) -> Any:
    return shopper.post(address(hold, "pay/"), {**GOOD, **fields}, headers=headers)


def make_order(shopper: Client, hold: Hold | None = None) -> Order:
    hold = hold or make_open_hold()
    assert pay(shopper, hold).status_code == 202
    return Order.objects.select_related("hold", "payment").get(hold=hold)


def bring(order: Order, payment: str, hold: str, **fields: Any) -> None:
    """Set payment and hold to a state that the workers would have brought them to."""
    ends = {} if hold in {"open", "paying"} else {"ended_at": timezone.now()}
    if payment == "captured":
        fields |= {"decision": "capture", "captured_at": timezone.now()}
    Payment.objects.filter(order=order).update(state=payment, intent_id=f"pi_{order.pk}", **fields)
    Attempt.objects.filter(payment__order=order).update(state="declined", sent_at=timezone.now())
    Hold.objects.filter(pk=order.hold_id).update(state=hold, **ends)


def lapse(hold: Hold) -> None:
    Hold.objects.filter(pk=hold.pk).update(expires_at=timezone.now() - timedelta(seconds=1))


def unchanged(hold: Hold) -> Any:
    """Whether the hold is still open, with its unit, and without an order."""
    state = Hold.objects.get(pk=hold.pk).state
    return (state, Unit.objects.filter(hold=hold).count(), Order.objects.count()) == ("open", 1, 0)
