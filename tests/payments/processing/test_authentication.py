"""3-D Secure: what the shopper does at the bank, or doesn't, and what becomes of the order."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client

from drops.models import Drop, Hold, Unit
from payments import invariants
from payments.models import Attempt, Order, Payment
from payments.orders import links, status
from payments.processing import advance, gateway, recovery
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.payments.order_factory import make_order, states, submit

pytestmark = pytest.mark.usefixtures("transactional_db")

CARD = "threeDSecure2Required"


@pytest.fixture
def waiting(sandbox: SandboxProcess) -> Order:
    """An order whose bank wants its shopper to confirm the payment."""
    order = make_order(sandbox, card=CARD)
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("action", "paying")
    return order


def payment_of(order: Order) -> Payment:
    return Payment.objects.get(order=order)


def intent_of(order: Order) -> str:
    return str(payment_of(order).intent_id)


def message(order: Order) -> str:
    return status.derive(order=Order.objects.get(pk=order.pk)).message


def let_its_time_pass(order: Order) -> None:
    Payment.objects.filter(order=order).update(action_ends_at=Now() - timedelta(seconds=1))


def assert_sound(order: Order) -> None:
    assert [check.detail for check in invariants.check(drop=order.hold.drop) if not check.ok] == []
    payment = payment_of(order)
    assert (payment.client_secret, payment.action_ends_at) == ("", None)


def test_page_gets_the_secret_and_ten_minutes(waiting: Order) -> None:
    payment = payment_of(waiting)
    left = Payment.objects.annotate(left=F("action_ends_at") - Now()).get().left

    assert payment.client_secret.startswith(f"{payment.intent_id}_secret_")
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    assert status.derive(order=Order.objects.get(pk=waiting.pk)).name == "action"
    assert Attempt.objects.get().state == Attempt.State.ACTION


def test_confirmed_payment_is_captured(sandbox: SandboxProcess, waiting: Order) -> None:
    sandbox.answer_bank(intent_of(waiting))

    advance.advance_order(order_id=waiting.pk)

    assert states(waiting) == ("captured", "allocated")
    payment = payment_of(waiting)
    assert (payment.card_brand, payment.card_last4, payment.three_d_secure) == (
        "visa",
        "3220",
        "authenticated",
    )
    assert payment.capture_before is not None
    assert_sound(waiting)


@pytest.mark.parametrize(
    ("card", "result", "said"),
    [
        (CARD, "refused", "wasn't confirmed with your bank"),
        ("authenticationRequiredChargeDeclinedInsufficientFunds", "confirmed", "enough money"),
    ],
)
def test_same_hold_may_try_another_card(sandbox: SandboxProcess, card: str, result: str, said: str) -> None:
    order = make_order(sandbox, card=card)
    advance.advance_order(order_id=order.pk)
    sandbox.answer_bank(intent_of(order), result)

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("created", "open")
    assert said in message(order)
    submit(Hold.objects.get(pk=order.hold_id), sandbox.token())
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("captured", "allocated")
    assert_sound(order)


def test_nothing_is_concluded_while_there_is_time(waiting: Order) -> None:
    for _again in range(2):
        advance.advance_order(order_id=waiting.pk)

    assert states(waiting) == ("action", "paying")


def test_intent_is_canceled_first_and_then_the_hold_is_released(
    sandbox: SandboxProcess, waiting: Order
) -> None:
    let_its_time_pass(waiting)
    sandbox.control("faults", operation="payment_intents.cancel", kind="error", when="before")
    advance.advance_order(order_id=waiting.pk)
    assert states(waiting) == ("voiding", "paying")

    advance.advance_order(order_id=waiting.pk)

    assert states(waiting) == ("voided", "released")
    assert gateway.retrieve(intent_id=intent_of(waiting)).status == "canceled"
    assert "within ten minutes" in message(waiting)
    assert Unit.objects.free().count() == 1
    assert_sound(waiting)


def test_payment_confirmed_before_it_is_canceled_is_allocated(
    sandbox: SandboxProcess, waiting: Order
) -> None:
    let_its_time_pass(waiting)
    sandbox.control("faults", operation="payment_intents.cancel", kind="error", when="before")
    advance.advance_order(order_id=waiting.pk)
    assert states(waiting) == ("voiding", "paying")
    sandbox.answer_bank(intent_of(waiting))

    advance.advance_order(order_id=waiting.pk)

    assert states(waiting) == ("captured", "allocated")
    assert_sound(waiting)


def test_cancelled_drop_voids_at_once(waiting: Order) -> None:
    Drop.objects.update(cancelled_at=Now())

    assert advance.advance_order(order_id=waiting.pk) == "voided"

    assert payment_of(waiting).void_reason == Payment.VoidReason.CANCELLED
    assert_sound(waiting)


def test_lost_answer_to_the_confirm_is_asked_for(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox, card=CARD)
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="after")
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("confirming", "paying")

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("action", "paying")


def test_refusal_that_nobody_heard_of_is_a_decline(sandbox: SandboxProcess) -> None:
    order = make_order(sandbox, card=CARD)
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="after")
    advance.advance_order(order_id=order.pk)
    sandbox.answer_bank(intent_of(order), "refused")

    advance.advance_order(order_id=order.pk)

    assert states(order) == ("created", "open")
    assert "wasn't confirmed with your bank" in message(order)


@pytest.mark.parametrize(
    ("ago", "ends_in", "cancelled", "claimed"),
    [
        (10, 590, False, False),
        (29, 590, False, False),
        (31, 590, False, True),  # its webhook may be lost
        (10, -1, False, True),  # its time is over
        (10, 590, True, True),
    ],
)
def test_sweep_asks_for_it_seldom_while_it_waits(
    waiting: Order, ago: int, ends_in: int, cancelled: bool, claimed: bool
) -> None:
    Payment.objects.update(
        changed_at=Now() - timedelta(seconds=ago), action_ends_at=Now() + timedelta(seconds=ends_in)
    )
    if cancelled:
        Drop.objects.update(cancelled_at=Now())

    assert recovery.claim_stalled(max_orders=9) == [waiting.pk] * claimed


class TestReturn:
    """The address to which the bank's page leads back."""

    @pytest.fixture
    def redirected(self, sandbox: SandboxProcess) -> Order:
        order = make_order(sandbox, card="threeDSecureRequired")
        advance.advance_order(order_id=order.pk)
        return order

    def address(self, sandbox: SandboxProcess, order: Order) -> str:
        answer = sandbox.answer_bank(intent_of(order))
        return answer.headers["location"].removeprefix("http://127.0.0.1:8000")

    def path(self, order: Order) -> str:
        return links.return_url(order.payment.attempts.get()).partition("//")[2].partition("/")[2]

    def test_leads_to_the_order_once(self, sandbox: SandboxProcess, redirected: Order, client: Any) -> None:
        path = f"/{self.path(redirected)}"
        assert path in sandbox.answer_bank(intent_of(redirected)).headers["location"]
        assert links.order_token(redirected.uuid) not in path

        first, second = client.get(path), client.get(path)

        assert (first.status_code, first["location"]) == (303, links.order_path(redirected))
        assert first["cache-control"] == "no-store"
        assert second.status_code == 410
        assert "This link has been used." in second.content.decode()
        assert links.order_path(redirected) not in second.content.decode()

    @pytest.mark.parametrize("token", ["x", "a.b", "0" * 200])
    def test_other_tokens_lead_nowhere(self, client: Client, token: str) -> None:
        assert client.get(f"/orders/return/{token}/").status_code == 404

    def test_orders_own_token_is_no_return(self, redirected: Order, client: Client) -> None:
        assert client.get(f"/orders/return/{links.order_token(redirected.uuid)}/").status_code == 404


def test_order_page_shows_the_banks_page_and_its_clock(waiting: Order, client: Client, settings: Any) -> None:
    page = client.get(links.order_path(waiting))
    text = page.content.decode()

    assert "Your bank wants you to confirm this payment." in text
    assert f'data-secret="{payment_of(waiting).client_secret}"' in text
    assert f'data-ends="{int(payment_of(waiting).action_ends_at.timestamp())}"' in text  # type: ignore[union-attr]
    assert settings.STRIPE_JS_ORIGIN in page["content-security-policy"]


def test_page_of_any_other_state_has_no_secret(
    sandbox: SandboxProcess, waiting: Order, client: Client
) -> None:
    sandbox.answer_bank(intent_of(waiting))
    advance.advance_order(order_id=waiting.pk)

    text = client.get(links.order_path(waiting)).content.decode()

    assert "_secret_" not in text
    assert "data-secret" not in text
