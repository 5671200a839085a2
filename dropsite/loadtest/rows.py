"""What the shop's own rows say about a rehearsal: the books, and whether the pages told the crowd the truth."""

import time
from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from django.utils import timezone

from drops import passes
from drops.models import Drop, Hold
from dropsite.loadtest import places
from dropsite.loadtest.line import Status
from dropsite.loadtest.stories import End, Story
from dropsite.loadtest.verdicts import Verdict, verdict
from payments import books, gateway
from payments.models import Order, Payment

SETTLE_SECONDS = 120
POLL_SECONDS = 0.5
BOOK_TRIES = 5
NOT_CHARGED = (End.LEFT, End.GAVE_BACK, End.LET_LAPSE, End.DECLINED, End.MONEY_BACK, End.SOLD_OUT, End.NOTHING_FREE)


def under_way(*, drop: Drop) -> str:
    """What has not come to rest yet, in words; nothing once no hold is paying and no money is on its way."""
    paying = Hold.objects.filter(drop=drop, state=Hold.State.PAYING).count()
    moving = Payment.objects.filter(
        order__hold__drop=drop,
        state__in=[Payment.State.AUTHORISED, Payment.State.CAPTURING, Payment.State.VOIDING],
    ).count()
    parts = [f"{paying} holds paying" if paying else "", f"{moving} payments on their way" if moving else ""]
    return ", ".join(part for part in parts if part)


def settle(*, drop: Drop) -> Verdict:
    """Wait, bounded, until everything has come to rest."""
    until = time.monotonic() + SETTLE_SECONDS
    while (rest := under_way(drop=drop)) and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    return verdict("everything comes to rest", [rest] if rest else [], "nothing is paying, capturing or voiding")


def check_books(*, drop: Drop) -> list[Verdict]:
    """The books of the drop. Stripe's stand-in may be starting again: it is asked a few times."""
    for attempt in range(1, BOOK_TRIES + 1):
        try:
            return [Verdict(check.name, check.ok, check.detail) for check in books.check(drop=drop)]
        except gateway.Unknown as unknown:
            if attempt == BOOK_TRIES:
                found = [Verdict(check.name, check.ok, check.detail) for check in books.check(drop=drop, stripe=False)]
                return [*found, Verdict("Stripe's list of intents can be read", False, str(unknown))]
            time.sleep(POLL_SECONDS * attempt)
    raise AssertionError("not reached")


def compare(*, drop: Drop, stories: Sequence[Story], status: Status | None) -> list[Verdict]:
    """Whether what the crowd saw is what the rows say."""
    orders = _orders(drop, stories)
    return [_placed(stories, orders), _not_charged(stories, orders), _places(drop, status)]


def order_of(address: str) -> UUID:
    """The order that an order page's address stands for."""
    return passes.read_token("order", urlsplit(address).path.strip("/").split("/")[-1])


def _orders(drop: Drop, stories: Sequence[Story]) -> dict[str, Order]:
    found = {
        str(order.uuid): order for order in Order.objects.filter(hold__drop=drop).select_related("hold", "payment")
    }
    addresses = {address for story in stories for address in story.orders}
    return {address: found[name] for address in addresses if (name := str(order_of(address))) in found}


def _placed(stories: Sequence[Story], orders: dict[str, Order]) -> Verdict:
    wrong, seen = [], [story for story in stories if story.end is End.PLACED]
    for story in seen:
        order = orders.get(story.orders[-1])
        if order is None:
            wrong.append(f"shopper {story.plan.number} has none")
        elif (order.payment.state, order.hold.state) != (Payment.State.CAPTURED, Hold.State.ALLOCATED):
            wrong.append(f"{order.number}: payment {order.payment.state}, hold {order.hold.state}")
    return verdict("who read “it is yours” has a paid order", wrong, f"{len(seen)} shoppers, {len(seen)} orders")


def _not_charged(stories: Sequence[Story], orders: dict[str, Order]) -> Verdict:
    told = [story for story in stories if story.end in NOT_CHARGED]
    wrong = [
        f"shopper {story.plan.number}, {story.end}: {orders[address].number} is captured"
        for story in told
        for address in story.orders
        if address in orders and orders[address].payment.state == Payment.State.CAPTURED
    ]
    return verdict("nobody is charged who was told otherwise", wrong, f"{len(told)} shoppers without an order")


def _places(drop: Drop, status: Status | None) -> Verdict:
    name = "each hold's place is what the public formula gives"
    holds = list(Hold.objects.filter(drop=drop).values_list("index", "place"))
    if status is None or status.secret is None or status.sealed is None:
        return Verdict(name, not holds, "the secret is not out" if holds else "no holds")
    wrong = [f"index {index} held at {place}" for index, place in holds if status.place(index) != place]
    if not places.keeps_its_word(commitment=status.commitment, secret=status.secret):
        wrong.append("the secret is not the one that was committed to")
    return verdict(name, wrong, f"{len(holds)} holds, {status.sealed} drawn")


def left_open(*, drop: Drop) -> int:
    """How many holds are still open."""
    return Hold.objects.filter(drop=drop, state=Hold.State.OPEN, expires_at__gt=timezone.now()).count()


def placed(*, drop: Drop) -> int:
    """How many orders of the drop are paid."""
    return Order.objects.filter(hold__drop=drop, payment__state=Payment.State.CAPTURED).count()
