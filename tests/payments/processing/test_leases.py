"""A worker keeps an order for as long as its calls take, and a message for as long as it is being sent."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from payments.models import Order, Payment
from payments.processing import advance, gateway, lease
from shop.core import outbox
from shop.core.models import Alert, Email
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.payments.order_factory import make_order, states

pytestmark = pytest.mark.usefixtures("transactional_db")

CALLS = ("create", "confirm", "capture")


def around_each_call(
    monkeypatch: pytest.MonkeyPatch,
    *,
    before: Callable[[str], object] = lambda _name: None,
    after: Callable[[str], object] = lambda _name: None,
) -> None:
    """Do something before and after each call to Stripe."""

    def surround(name: str, call: Callable[..., gateway.Intent]) -> Callable[..., gateway.Intent]:
        def surrounded(**params: Any) -> gateway.Intent:
            before(name)
            intent = call(**params)
            after(name)
            return intent

        return surrounded

    for name in (*CALLS, "cancel", "retrieve"):
        monkeypatch.setattr(gateway, name, surround(name, getattr(gateway, name)))


def take_over(order: Order) -> None:
    """Lease the order as a different worker would once the lease has run out."""
    Order.objects.filter(pk=order.pk).update(leased_until=F("leased_until") - timedelta(minutes=1))
    assert lease.acquire(order_id=order.pk) is not None


@pytest.mark.parametrize(
    ("card", "names"),
    [
        ("visa", ["create", "confirm", "capture"]),
        ("authenticationRequired", ["create", "confirm"]),
        ("visa_chargeDeclined", ["create", "confirm"]),
    ],
)
def test_lease_is_renewed_before_each_call(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, card: str, names: list[str]
) -> None:
    order = make_order(sandbox, card=card)
    seen: list[Any] = []
    around_each_call(
        monkeypatch, before=lambda name: seen.append((Order.objects.get(pk=order.pk).leased_until, name))
    )

    advance.advance_order(order_id=order.pk)

    assert [name for _until, name in seen] == names
    assert seen == sorted(set(seen))  # each time it ends later than before the last call


def test_lease_is_renewed_before_asking_what_became_of_a_call(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = make_order(sandbox)
    seen: list[Any] = []
    around_each_call(
        monkeypatch, before=lambda name: seen.append((Order.objects.get(pk=order.pk).leased_until, name))
    )
    sandbox.control("faults", operation="payment_intents.confirm", kind="drop", when="after")
    advance.advance_order(order_id=order.pk)
    advance.advance_order(order_id=order.pk)

    assert [name for _until, name in seen] == ["create", "confirm", "retrieve", "capture"]
    assert seen == sorted(set(seen))


def rivals_that_get_the_lease(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, order: Order
) -> list[str]:
    """Advance the order with calls that together outlast a lease; return after which a rival gets it."""
    monkeypatch.setattr(lease, "LEASE_SECONDS", 3)
    for name in CALLS:
        sandbox.control("faults", operation=f"payment_intents.{name}", kind="lag", when="after", seconds=1.2)
    got: list[str] = []

    def rival(name: str) -> None:
        if lease.acquire(order_id=order.pk) is not None:
            got.append(name)

    around_each_call(monkeypatch, after=rival)
    advance.advance_order(order_id=order.pk)
    return got


def test_rival_never_gets_an_order_whose_calls_outlast_one_lease(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = make_order(sandbox)

    assert rivals_that_get_the_lease(sandbox, monkeypatch, order) == []
    assert states(order) == ("captured", "allocated")


def test_control_of_a_lease_that_is_not_renewed(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = make_order(sandbox)
    monkeypatch.setattr(lease, "renew", lambda order: None)

    assert rivals_that_get_the_lease(sandbox, monkeypatch, order) == ["capture"]


@pytest.mark.parametrize(
    ("name", "then"), [("create", "created"), ("confirm", "authorised")], ids=["create", "confirm"]
)
def test_worker_that_lost_its_lease_makes_no_further_call(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, name: str, then: str
) -> None:
    order = make_order(sandbox)
    made: list[str] = []

    def lose(call: str) -> None:
        made.append(call)
        if call == name:
            take_over(order)

    around_each_call(monkeypatch, after=lose)
    state = advance.advance_order(order_id=order.pk)

    assert made[-1] == name
    assert state in {then, "capturing"}
    until = Order.objects.get(pk=order.pk).leased_until
    assert lease.acquire(order_id=order.pk) is None  # the loser leaves the other worker's lease alone
    assert Order.objects.get(pk=order.pk).leased_until == until

    Order.objects.filter(pk=order.pk).update(leased_until=F("leased_until") - timedelta(minutes=1))
    advance.advance_order(order_id=order.pk)
    assert states(order) == ("captured", "allocated")
    assert Payment.objects.get(order=order).state == "captured"


@pytest.mark.parametrize("model", [Email, Alert])
def test_message_whose_claim_ran_out_is_left_to_the_next_worker(model: Any) -> None:
    for number in range(3):
        if model is Email:
            outbox.put_email(
                kind="test", about=f"n:{number}", to="ada@example.com", subject="s", text="t", html="h"
            )
        else:
            Alert.objects.create(source="test", subject=f"n:{number}", message="It is full. Empty it.")
    sent: list[Any] = []

    def send_slowly(message: Any) -> None:
        """Send the first so slowly that a different worker claims the others, and sends them."""
        sent.append(message.pk)
        if len(sent) == 1:
            model.objects.exclude(pk=message.pk).update(due_at=F("due_at") - timedelta(minutes=2))
            outbox.send_due(model, send=lambda other: sent.append(other.pk), limit=10)

    assert outbox.send_due(model, send=send_slowly, limit=10) == 1
    assert len(sent) == len(set(sent)) == 3
    assert model.objects.filter(sent_at=None).count() == 0
