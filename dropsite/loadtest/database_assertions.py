"""Assertions about the shop's rows after a rehearsal.

The invariants hold, and what the pages told the crowd agrees with the rows.
"""

import time
from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from django.utils import timezone

from drops.models import Drop, Hold
from dropsite.loadtest.assertions import Assertion, from_failures
from dropsite.loadtest.users import shuffle
from dropsite.loadtest.users.sessions import Outcome, Session
from dropsite.loadtest.users.waiting_room import StatusDocument
from payments import invariants
from payments.models import Order, Payment
from payments.orders import links
from payments.processing import gateway

TIMEOUT_SECONDS = 120
POLL_SECONDS = 0.5
MAX_TRIES = 5
# Shoppers with one of these outcomes were told, or could conclude, that no money was taken.
UNCHARGED_OUTCOMES = (
    Outcome.LEFT,
    Outcome.RELEASED,
    Outcome.LET_LAPSE,
    Outcome.DECLINED,
    Outcome.VOIDED,
    Outcome.SOLD_OUT,
    Outcome.NOTHING_FREE,
)


def wait_for_payments(*, drop: Drop) -> Assertion:
    """Wait, bounded, until no hold is paying and no payment is in progress."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    unfinished = describe_unfinished(drop=drop)
    while unfinished and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        unfinished = describe_unfinished(drop=drop)
    failures = []
    if unfinished:
        failures.append(unfinished)
    return from_failures(
        "every payment is finished", failures, passed="nothing is being paid, captured or voided any more"
    )


def describe_unfinished(*, drop: Drop) -> str:
    """Return how many holds and payments are in progress; empty if none is."""
    holds = Hold.objects.filter(drop=drop, state=Hold.State.PAYING).count()
    payments = Payment.objects.filter(
        order__hold__drop=drop,
        state__in=[Payment.State.AUTHORISED, Payment.State.CAPTURING, Payment.State.VOIDING],
    ).count()
    parts = []
    if holds:
        parts.append(f"holds being paid: {holds}")
    if payments:
        parts.append(f"payments in progress: {payments}")
    return ", ".join(parts)


def check_invariants(*, drop: Drop) -> list[Assertion]:
    """Check the drop's invariants. The sandbox may be restarting, so it is asked a few times."""
    for attempt in range(1, MAX_TRIES):
        try:
            return _invariants(drop)
        except gateway.OutcomeUnknown:
            time.sleep(POLL_SECONDS * attempt)
    try:
        return _invariants(drop)
    except gateway.OutcomeUnknown as error:
        unreadable = Assertion("Stripe's list of PaymentIntents can be read", False, str(error))
        return [*_invariants(drop, stripe=False), unreadable]


def _invariants(drop: Drop, *, stripe: bool = True) -> list[Assertion]:
    checks = invariants.check(drop=drop, stripe=stripe)
    return [Assertion(check.name, check.ok, check.detail) for check in checks]


def compare(*, drop: Drop, sessions: Sequence[Session], status: StatusDocument | None) -> list[Assertion]:
    """Check that what the crowd saw agrees with the rows."""
    orders = _orders_by_url(drop, sessions)
    return [
        _placed_orders_are_paid(sessions, orders),
        _nobody_else_is_charged(sessions, orders),
        _places_follow_the_formula(drop, status),
    ]


def order_of(url: str) -> UUID:
    """Return the id of the order that an order page shows."""
    token = urlsplit(url).path.strip("/").split("/")[-1]
    return links.read_order_token(token)


def _orders_by_url(drop: Drop, sessions: Sequence[Session]) -> dict[str, Order]:
    orders = Order.objects.filter(hold__drop=drop).select_related("hold", "payment")
    by_id = {order.uuid: order for order in orders}
    found = {}
    for url in {url for session in sessions for url in session.orders}:
        order = by_id.get(order_of(url))
        if order:
            found[url] = order
    return found


def _placed_orders_are_paid(sessions: Sequence[Session], orders: dict[str, Order]) -> Assertion:
    placed = [session for session in sessions if session.outcome is Outcome.PLACED]
    failures = []
    for session in placed:
        order = orders.get(session.orders[-1])
        if order is None:
            failures.append(f"shopper {session.behaviour.number} has no order")
        elif (order.payment.state, order.hold.state) != (Payment.State.CAPTURED, Hold.State.ALLOCATED):
            failures.append(f"{order.number}: payment {order.payment.state}, hold {order.hold.state}")
    return from_failures(
        "everyone shown a confirmed order has paid for it",
        failures,
        passed=f"{len(placed)} shoppers and orders",
    )


def _nobody_else_is_charged(sessions: Sequence[Session], orders: dict[str, Order]) -> Assertion:
    uncharged = [session for session in sessions if session.outcome in UNCHARGED_OUTCOMES]
    failures = [
        f"shopper {session.behaviour.number}, {session.outcome}: {orders[url].number} is captured"
        for session in uncharged
        for url in session.orders
        if url in orders and orders[url].payment.state == Payment.State.CAPTURED
    ]
    return from_failures(
        "nobody without an order is charged", failures, passed=f"{len(uncharged)} shoppers without an order"
    )


def _places_follow_the_formula(drop: Drop, status: StatusDocument | None) -> Assertion:
    name = "each hold's place follows from the public formula"
    holds = list(Hold.objects.filter(drop=drop).values_list("index", "place"))
    if not holds:
        return Assertion(name, True, "no holds")
    if status is None or status.secret is None or status.sealed is None:
        return Assertion(name, False, "the secret has not been published")
    failures = [f"index {index} held at {place}" for index, place in holds if status.place_of(index) != place]
    if not shuffle.matches_commitment(commitment=status.commitment, secret=status.secret):
        failures.append("the secret isn't the one that was committed to")
    return from_failures(name, failures, passed=f"{len(holds)} holds, {status.sealed} places drawn")


def count_open_holds(*, drop: Drop) -> int:
    """Return how many holds are still open."""
    return Hold.objects.filter(drop=drop, state=Hold.State.OPEN, expires_at__gt=timezone.now()).count()


def count_paid_orders(*, drop: Drop) -> int:
    """Return how many orders of the drop are paid."""
    return Order.objects.filter(hold__drop=drop, payment__state=Payment.State.CAPTURED).count()
