"""Tickets that nobody stands behind: a drop with ten of them for each shopper sells nearly as fast."""

from collections.abc import Callable
from random import Random

import pytest

from drops.waitingroom.gatekeeper.allocation import MIN_SHOW_RATE, PRIOR_PLACES, RecentCalls
from drops.waitingroom.protocol import status
from tests.drops.waitingroom.gatekeeper.conftest import Driven
from tests.drops.waitingroom.gatekeeper.driving import admitting
from tests.drops.waitingroom.gatekeeper.simulated import Line, Shopper, SimulatedDrop
from tests.drops.waitingroom.protocol.servers import document

FAKES_PER_SHOPPER = 10
MAX_RATIO = 1.5


def deliberate(rng: Random) -> Shopper:
    return Shopper(
        seeing=rng.randint(1, 4),
        choosing=3 + round(rng.expovariate(1 / 6)),
        paying=15 + round(rng.expovariate(1 / 30)),
    )


def quick(rng: Random) -> Shopper:
    """Shoppers so quick that nothing but the calls limits the pace."""
    return Shopper(seeing=rng.randint(1, 4), choosing=rng.randint(2, 5), paying=rng.randint(4, 9))


def crowd(kind: Callable[[Random], Shopper], count: int) -> list[Shopper]:
    rng = Random(count)
    return [kind(rng) for _ in range(count)]


def drawn(shoppers: list[Shopper], fakes: int) -> Line:
    """All joined in the lobby: the shuffle spreads them."""
    line = [*shoppers, *[None] * fakes]
    Random(fakes).shuffle(line)
    return line


def in_front(shoppers: list[Shopper], fakes: int) -> Line:
    return [*[None] * fakes, *shoppers]


def run_after(share: float) -> Callable[[list[Shopper], int], Line]:
    """Fakes that joined in one run after the draw, or the gap of a loss."""

    def line(shoppers: list[Shopper], fakes: int) -> Line:
        at = round(share * len(shoppers))
        return [*shoppers[:at], *[None] * fakes, *shoppers[at:]]

    return line


def in_runs(shoppers: list[Shopper], fakes: int) -> Line:
    quarter = len(shoppers) // 4
    line: list[Shopper | None] = []
    for first in range(0, len(shoppers), quarter):
        line += [*shoppers[first : first + quarter], *[None] * (fakes // 4)]
    return line


def alternating(shoppers: list[Shopper], fakes: int) -> Line:
    each: list[Shopper | None] = [None] * (fakes // len(shoppers))
    return [ticket for shopper in shoppers for ticket in (*each, shopper)]


LAYOUTS = [drawn, in_front, run_after(0.5), run_after(0.7), in_runs, alternating]
NAMES = ["drawn", "in front", "run after a half", "run after most", "in runs", "alternating"]


def ticks(line: Line, units: int, calls: RecentCalls | None = None) -> int:
    return SimulatedDrop(line, units, calls=calls or RecentCalls()).run()


def ratio(
    kind: Callable[[Random], Shopper],
    layout: Callable[[list[Shopper], int], Line],
    *,
    units: int,
    calls: RecentCalls | None = None,
) -> float:
    shoppers = crowd(kind, units * 13 // 10)
    line = layout(shoppers, FAKES_PER_SHOPPER * len(shoppers))
    return ticks(line, units, calls) / ticks(shoppers, units)


@pytest.mark.parametrize("kind", [deliberate, quick])
@pytest.mark.parametrize("layout", LAYOUTS, ids=NAMES)
@pytest.mark.parametrize("units", [500, 2000])
def test_ten_fakes_per_shopper_cost_at_most_half_as_many_ticks_again(
    kind: Callable[[Random], Shopper], layout: Callable[[list[Shopper], int], Line], units: int
) -> None:
    assert ratio(kind, layout, units=units) <= MAX_RATIO


class CarelessCalls(RecentCalls):
    """Every called place is taken for a shopper."""

    def show_rate(self, *, cursor: int, entered: int) -> float:
        return 1.0


class AllCalls(RecentCalls):
    """The share of all called shoppers, as if fakes were always spread."""

    def show_rate(self, *, cursor: int, entered: int) -> float:
        if not cursor:
            return 1.0
        return max(MIN_SHOW_RATE, min(1.0, entered / cursor))


def test_control_a_pace_that_ignores_who_comes_is_too_slow() -> None:
    assert ratio(quick, drawn, units=500, calls=CarelessCalls()) > MAX_RATIO


def test_control_the_share_of_all_calls_notices_a_run_too_late() -> None:
    assert ratio(quick, run_after(0.7), units=500, calls=AllCalls()) > MAX_RATIO


def test_all_shoppers_behind_960_fakes_have_their_turn() -> None:
    shoppers = crowd(deliberate, 30)
    drop = SimulatedDrop([*[None] * 960, *shoppers], 30)

    drop.run()

    assert drop.sold == 30
    assert set(drop.turn_at) == set(range(990))


@pytest.mark.parametrize("fakes_per_shopper", [0, 1, 10])
def test_estimates_use_the_share_that_shows_up(fakes_per_shopper: int) -> None:
    shoppers = crowd(deliberate, 2600)
    drop = SimulatedDrop(drawn(shoppers, fakes_per_shopper * len(shoppers)), 2000)
    estimates: list[tuple[int, int, float]] = []  # (place, tick, middle of the range)
    while drop.sold < drop.units:
        drop.step()
        for place in range(drop.checkpoint.cursor, len(drop.line), 97):
            found = status.expected_wait(news(drop), place)
            if found is not None:
                estimates.append((place, drop.tick, found[0] * status.SPEED_UP))

    turns = [(drop.turn_at.get(place, drop.tick) - at, wait) for place, at, wait in estimates]
    ratios = sorted(waited / wait for waited, wait in turns)
    assert len(ratios) > 1000
    assert 0.8 < ratios[len(ratios) // 2] < 1.25
    assert 0.5 < ratios[len(ratios) // 4] < ratios[3 * len(ratios) // 4] < 2


def news(drop: SimulatedDrop) -> status.Status:
    """Return what the status document would say."""
    return document(
        phase="live",
        cursor=drop.checkpoint.cursor,
        entered=drop.entered,
        pace=drop.pace,
        editions=[{"sku": "S", "band": "in", "free": drop.free, "held": drop.taken}],
    )


def test_the_leader_remembers_its_calls_from_tick_to_tick(driven: Driven, window: Callable[[], None]) -> None:
    drop = admitting(driven, 1000, quantity=10)
    driven.tick()
    window()

    driven.tick()

    calls = driven.keeper.memory[drop.pk].calls
    assert driven.document(drop)["cursor"] == 12 + 12 * 32  # none of the first twelve came
    assert (calls.places, calls.entered) == (12 * 32 + 6, 0)


def test_a_leader_without_memory_starts_with_the_share_so_far() -> None:
    assert RecentCalls().show_rate(cursor=0, entered=0) == 1.0
    assert RecentCalls().show_rate(cursor=100, entered=25) == 0.25
    assert RecentCalls().show_rate(cursor=100, entered=120) == 1.0  # some entered twice
    assert RecentCalls().show_rate(cursor=10_000, entered=3) == MIN_SHOW_RATE


def test_recent_calls_count_more_than_early_ones() -> None:
    calls = RecentCalls()
    calls.record(places=100, entered=0)
    calls.record(places=100, entered=100)  # all of the first came
    calls.record(places=200, entered=100)  # none of the second

    share_so_far = 100 / 400
    expected = (25 + PRIOR_PLACES * share_so_far) / (275 + PRIOR_PLACES)
    assert calls.show_rate(cursor=400, entered=100) == pytest.approx(expected)
    assert calls.show_rate(cursor=400, entered=300) > 0.7  # all of the third came
