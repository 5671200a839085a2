"""The books against Stripe's own list: a fault is told, an order on its way is none."""

import pytest
from django.db.models import F

from payments import invariants
from payments.models import Payment
from payments.processing import advance, gateway
from tests.payments.order_factory import make_order, states

pytestmark = pytest.mark.usefixtures("transactional_db")


def broken(order):
    return invariants.against_stripe(drop=order.hold.drop).broken


@pytest.mark.parametrize("steps", [advance.ASKING, None])
def test_against_stripe_tells_nothing_of_an_order_that_moves_meanwhile(till, monkeypatch, steps):
    order = make_order(till)
    listed = gateway.intents

    def list_after_a_move(**since):  # between the reading of our rows and Stripe's answer
        advance.advance_order(order_id=order.pk, states=steps)
        return listed(**since)

    monkeypatch.setattr(gateway, "intents", list_after_a_move)

    assert broken(order) == ()
    assert states(order) == ("captured" if steps is None else "authorised", "allocated")


def test_against_stripe_tells_of_money_that_our_rows_say_otherwise(till):
    order = make_order(till)
    advance.advance_order(order_id=order.pk)
    assert broken(order) == ()

    Payment.objects.filter(order=order).update(amount=F("amount") + 1)

    assert broken(order) == (f"{order.number}: Stripe got 10090, our books say 10091",)


def test_against_stripe_tells_of_money_on_an_intent_that_no_row_knows(till):
    order = make_order(till)
    advance.advance_order(order_id=order.pk)
    intent = Payment.objects.get(order=order).intent_id

    Payment.objects.filter(order=order).update(intent_id="pi_another")

    assert broken(order) == (
        f"{order.number}: money on a second intent, {intent}",
        f"{order.number}: Stripe has no pi_another",
    )
