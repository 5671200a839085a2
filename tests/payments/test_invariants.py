"""Comparing with Stripe's own list finds faults, and none in orders that are under way."""

from collections.abc import Collection
from typing import Any

import pytest
from django.db.models import F

from payments import invariants
from payments.models import Order, Payment
from payments.processing import advance, gateway
from tests.deploy.stripe_sandbox import process
from tests.payments.order_factory import make_order, states

pytestmark = pytest.mark.usefixtures("transactional_db")


def broken(order: Order) -> Any:
    return invariants.compare_with_stripe(drop=order.hold.drop).broken


@pytest.mark.parametrize("steps", [advance.AUTHORISING_STATES, None])
def test_compare_with_stripe_finds_no_fault_in_an_order_that_goes_on_at_the_same_time(
    sandbox: process.SandboxProcess, monkeypatch: pytest.MonkeyPatch, steps: Collection[str] | None
) -> None:
    order = make_order(sandbox)
    listed = gateway.intents

    def list_after_a_move(**since: Any) -> Any:  # between the reading of our rows and Stripe's answer
        advance.advance_order(order_id=order.pk, states=steps or tuple(advance.STEPS))
        return listed(**since)

    monkeypatch.setattr(gateway, "intents", list_after_a_move)

    assert broken(order) == ()
    assert states(order) == ("captured" if steps is None else "authorised", "allocated")


def test_compare_with_stripe_finds_an_amount_that_our_rows_contradict(
    sandbox: process.SandboxProcess,
) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk)
    assert broken(order) == ()

    Payment.objects.filter(order=order).update(amount=F("amount") + 1)

    assert broken(order) == (f"{order.number}: Stripe received 10090, our rows say 10091",)


def test_compare_with_stripe_finds_money_on_an_intent_that_no_row_has(
    sandbox: process.SandboxProcess,
) -> None:
    order = make_order(sandbox)
    advance.advance_order(order_id=order.pk)
    intent = Payment.objects.get(order=order).intent_id

    Payment.objects.filter(order=order).update(intent_id="pi_another")

    assert broken(order) == (
        f"{order.number}: money on a second intent, {intent}",
        f"{order.number}: Stripe has no pi_another",
    )
