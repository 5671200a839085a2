"""What the database lets us request as refunds, also of two people at once."""

import threading
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from payments.models import Dispute, Order, Payment, Refund
from tests.conftest import SECONDS, Race
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import TOTAL, submit

pytestmark = pytest.mark.ops


@pytest.fixture
def paid(db: None) -> Payment:
    """A captured payment of TOTAL."""
    order: Order = submit(make_hold(drop=make_drop(phase="live", quantity=1)), "ctoken_1")
    Payment.objects.filter(order=order).update(
        state=Payment.State.CAPTURED, decision="capture", intent_id="pi_1", captured_at=timezone.now()
    )
    return Payment.objects.get(order=order)


def request(payment: Payment, amount: int, **fields: Any) -> Refund:
    with transaction.atomic():
        return Refund.objects.create(payment=payment, amount=amount, currency="EUR", livemode=False, **fields)


def open_dispute(payment: Payment, amount: int, state: str) -> None:
    closed_at = None if state in Dispute.UNDECIDED else timezone.now()
    Dispute.objects.create(
        payment=payment, stripe_id="du_1", charge_id="ch_1", state=state, stripe_status="needs_response",
        amount=amount, currency="EUR", opened_at=timezone.now(), closed_at=closed_at, livemode=False,
    )  # fmt: skip


@pytest.mark.parametrize("amounts", [[1], [TOTAL], [TOTAL - 1, 1], [1, 1, TOTAL - 2]])
def test_refunds_up_to_the_captured_amount_are_taken(paid: Payment, amounts: list[int]) -> None:
    for amount in amounts:
        request(paid, amount)

    assert Refund.objects.count() == len(amounts)


@pytest.mark.parametrize("amounts", [[TOTAL + 1], [TOTAL, 1], [TOTAL - 1, 2], [2**62]])
def test_refunds_above_the_captured_amount_are_refused(paid: Payment, amounts: list[int]) -> None:
    *first, last = amounts
    for amount in first:
        request(paid, amount)

    with pytest.raises(IntegrityError, match="left to refund"):
        request(paid, last)


@pytest.mark.parametrize("state", sorted(Refund.VOID))
def test_a_refund_that_came_to_nothing_frees_its_amount(paid: Payment, state: str) -> None:
    sent_at = None if state == Refund.State.WITHDRAWN else timezone.now()
    request(paid, TOTAL, state=state, sent_at=sent_at)

    assert request(paid, TOTAL).amount == TOTAL


@pytest.mark.parametrize(
    ("dispute", "left"), [("open", 0), ("lost", 0), ("inquiry", 90), ("won", 90), ("closed", 90)]
)
def test_a_dispute_takes_its_amount_off(paid: Payment, dispute: str, left: int) -> None:
    open_dispute(paid, 90, dispute)

    request(paid, TOTAL - 90 + left)
    with pytest.raises(IntegrityError, match="left to refund"):
        request(paid, 1)


@pytest.mark.parametrize("state", ["new", "created", "confirming", "voiding", "voided"])
def test_what_is_not_to_be_captured_is_not_refunded(paid: Payment, state: str) -> None:
    Payment.objects.filter(pk=paid.pk).update(state=state, captured_at=None, decision="")

    with pytest.raises(IntegrityError, match="left to refund"):
        request(paid, 1)


def test_what_stripe_reports_is_recorded_whatever_is_left(paid: Payment) -> None:
    request(paid, TOTAL)

    request(paid, TOTAL, origin="stripe", state="succeeded", stripe_id="re_1", sent_at=timezone.now())

    with pytest.raises(IntegrityError, match="left to refund"):
        Refund.objects.filter(origin="shop").update(amount=TOTAL + 1)


def test_two_refunds_at_once_take_no_more_than_was_captured(race: Race, paid: Payment) -> None:
    results = race(2, lambda _i: request(paid, TOTAL))

    assert sorted(type(result).__name__ for result in results) == ["IntegrityError", "Refund"]


def test_control_of_two_refunds_at_once_without_the_lock(race: Race, paid: Payment) -> None:
    """Without the lock on the payment, neither sees the other's row: both are taken."""
    both_inserted = threading.Barrier(2)

    def insert_then_commit(_i: int) -> Refund:
        with transaction.atomic():
            refund = request(paid, TOTAL)
            both_inserted.wait(SECONDS)
            return refund

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_functiondef('payments_refund_bound'::regproc)")
        guarded: str = cursor.fetchone()[0]
        cursor.execute(guarded.replace("FOR UPDATE;", ";"))
    try:
        results = race(2, insert_then_commit)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(guarded)

    assert [type(result).__name__ for result in results] == ["Refund", "Refund"]
