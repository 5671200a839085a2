"""An order number that is taken already is drawn again."""

from collections.abc import Iterator

import pytest
from django.db import IntegrityError

from payments.checkout import submission
from payments.models import Attempt, Order
from tests.conftest import Race
from tests.factories import make_drop, make_hold
from tests.payments.order_factory import submit

pytestmark = pytest.mark.usefixtures("transactional_db")

TAKEN, FREE = "7KQ2-9XMD", "7KQ2-9XME"


@pytest.fixture
def taken() -> Order:
    order = submit(make_hold(drop=make_drop(phase="live")), "ctoken_1")
    Order.objects.filter(pk=order.pk).update(number=TAKEN)
    return order


def draw(monkeypatch: pytest.MonkeyPatch, numbers: list[str]) -> None:
    drawn: Iterator[str] = iter(numbers)
    monkeypatch.setattr(submission, "draw_order_number", lambda: next(drawn))


@pytest.mark.parametrize("collisions", [0, 1, 2, submission.MAX_DRAWS - 1])
def test_number_that_is_taken_is_drawn_again(
    taken: Order, monkeypatch: pytest.MonkeyPatch, collisions: int
) -> None:
    draw(monkeypatch, [TAKEN] * collisions + [FREE])

    order = submit(make_hold(drop=make_drop(phase="live")), "ctoken_2")

    assert (order.number, order.payment.state, order.hold.drop_id != taken.hold.drop_id) == (
        FREE,
        "new",
        True,
    )
    assert Attempt.objects.filter(payment__order=order).count() == 1


def test_nothing_is_taken_if_every_number_is_taken(taken: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(monkeypatch, [TAKEN] * submission.MAX_DRAWS)
    hold = make_hold(drop=make_drop(phase="live"))

    with pytest.raises(IntegrityError, match="number"):
        submit(hold, "ctoken_2")

    hold.refresh_from_db()
    assert (hold.state, Order.objects.count()) == ("open", 1)


def test_other_conflicts_are_not_taken_for_a_number(taken: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(monkeypatch, [FREE])
    order = Order.objects.get(pk=taken.pk)
    order.pk = None  # a second order of the same hold

    with pytest.raises(IntegrityError):
        submission.save_with_number(order)


def test_orders_at_once_that_draw_the_same_number_get_different_ones(
    race: Race, monkeypatch: pytest.MonkeyPatch
) -> None:
    holds = [make_hold(drop=make_drop(phase="live")) for _tab in range(4)]
    drawn: list[str] = []

    def draw_the_same_at_first() -> str:
        drawn.append("")
        return TAKEN if len(drawn) <= 4 else f"7KQ2-{len(drawn):04}"

    monkeypatch.setattr(submission, "draw_order_number", draw_the_same_at_first)

    orders = race(4, lambda i: submit(holds[i], f"ctoken_{i}"))

    assert len({order.number for order in orders}) == 4
