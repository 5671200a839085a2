"""The cost of a tick in SQL statements."""

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drops.models import Leadership
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import SECOND, move, open_now
from tests.factories import make_drop


def cost(driven: Driven, seconds: float = 1.0) -> tuple[int, float]:
    with CaptureQueriesContext(connection) as captured:
        wait = driven.tick(seconds)
    return len(captured), wait


def test_an_idle_shop_costs_two_statements_in_two_and_a_half_seconds(driven: Driven) -> None:
    make_drop(phase="draft")
    driven.tick()

    assert cost(driven) == (2, 2.5)
    make_drop()
    driven.tick()
    assert cost(driven) == (2, 2.5)


def test_a_running_drop_costs_six_statements_a_tick_and_a_lobby_three(driven: Driven) -> None:
    drop = make_drop(phase="lobby")
    driven.tick()
    assert cost(driven) == (3, 1.0)
    open_now(drop)
    driven.tick()
    move(drop, sealed_at=timezone.now() - 5 * SECOND)
    assert cost(driven) == (6, 1.0)


def test_three_running_drops_cost_as_many_statements_as_one(driven: Driven) -> None:
    costs = []
    for _ in range(3):
        make_drop(phase="live", editions=2)
        driven.tick()
        costs.append(cost(driven))

    assert costs == [(6, 1.0)] * 3


def test_a_gatekeeper_standing_by_retries_when_the_lease_may_end(driven: Driven, another: Driven) -> None:
    make_drop(phase="live")
    driven.tick()

    assert cost(another) == (1, 2.5)
    Leadership.objects.update(until=timezone.now() + 0.5 * SECOND)
    assert 0 < cost(another)[1] <= 0.5
