"""The arithmetic of one tick."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.waitingroom.gatekeeper import allocation
from drops.waitingroom.gatekeeper.allocation import Bound, DropDemand

AMPLE = Bound(10_000, "ample")


def demand(*, joined: int = 1000, entered: int = 0, waiting: int = 0, own: int = 10_000) -> DropDemand:
    return DropDemand(joined=joined, entered=entered, waiting=waiting, own=(Bound(own, "own"),))


def allowed(demands: Sequence[DropDemand], *shared: Bound, elsewhere: int = 0) -> list[int]:
    allocations = allocation.compute_allowances(
        demands=demands, shared=shared or [AMPLE], waiting_elsewhere=elsewhere
    )
    return [allocated.allowance for allocated in allocations]


def test_allowance_is_entered_plus_the_lowest_ceiling_minus_waiting() -> None:
    assert allowed([demand(entered=100, waiting=7, own=40)], Bound(50, "slots")) == [133]
    assert allowed([demand(entered=100, waiting=7, own=60)], Bound(50, "slots"), AMPLE) == [143]


def test_allowance_is_never_below_entered() -> None:
    assert allowed([demand(entered=100, waiting=41, own=40)]) == [100]


def test_the_lowest_ceiling_gives_the_reason() -> None:
    def reason(own: int, slots: int) -> str:
        (allocated,) = allocation.compute_allowances(
            demands=[demand(own=own)], shared=[AMPLE, Bound(slots, "slots")]
        )
        return allocated.bound.reason

    assert [reason(5, 9), reason(9, 5)] == ["own", "slots"]


def test_two_drops_share_a_ceiling_by_what_each_can_use() -> None:
    big, small = demand(), demand(joined=10)

    assert allowed([big, big], Bound(100, "slots")) == [50, 50]
    assert allowed([big, small], Bound(100, "slots")) == [90, 10]
    assert allowed([demand(own=30), big], Bound(100, "slots")) == [30, 70]


def test_passes_that_wait_in_any_drop_count_against_a_shared_ceiling() -> None:
    assert allowed([demand(waiting=20), demand(waiting=10)], Bound(100, "slots"), elsewhere=10) == [30, 30]


def test_a_lone_line_may_be_allowed_more_than_have_joined() -> None:
    assert allowed([demand(joined=0)], Bound(25, "slots")) == [25]


numbers = st.integers(0, 10_000)


@given(total=numbers, wanted=st.lists(numbers, min_size=1, max_size=6))
def test_dividing_leaves_nothing_over_and_nobody_below_a_fair_share(total: int, wanted: list[int]) -> None:
    shares = allocation.divide_fairly(total, wanted)

    assert sum(shares) == total
    assert all(share >= min(want, total // len(wanted)) for share, want in zip(shares, wanted, strict=True))


@given(
    demands=st.lists(
        st.builds(demand, joined=numbers, entered=numbers, waiting=numbers, own=numbers),
        min_size=1,
        max_size=5,
    ),
    shared=numbers,
)
def test_no_tick_admits_more_than_a_ceiling(demands: Sequence[DropDemand], shared: int) -> None:
    rooms = [
        a - each.entered for a, each in zip(allowed(demands, Bound(shared, "slots")), demands, strict=True)
    ]

    assert all(room >= 0 for room in rooms)
    assert all(
        room == 0 or room + each.waiting <= each.own[0].shoppers
        for room, each in zip(rooms, demands, strict=True)
    )
    assert sum(rooms) == 0 or sum(rooms) + sum(each.waiting for each in demands) <= shared


@pytest.mark.parametrize(
    ("free", "taken", "holds", "shoppers"),
    [(40, 0, 0, 48), (55, 5, 5, 66), (10, 30, 10, 4), (1, 40, 40, 2), (0, 40, 40, 0), (3, 0, 0, 4)],
)
def test_stock_is_enough_for_a_fifth_more_shoppers_than_holds(
    free: int, taken: int, holds: int, shoppers: int
) -> None:
    assert allocation.shoppers_for_stock(free=free, taken=taken, holds=holds) == shoppers


def call(
    *, cursor: int = 0, joined: int = 1000, entered: int = 0, allowance: int = 48, since: float | None = None
) -> int:
    """Call as a new leader does, which remembers no calls."""
    return allocation.next_cursor(
        cursor=cursor,
        joined=joined,
        entered=entered,
        allowance=allowance,
        since=since,
        show_rate=allocation.RecentCalls().show_rate(cursor=cursor, entered=entered),
    )


def test_the_first_call_is_as_large_as_the_allowance() -> None:
    assert call() == 48


def test_nobody_is_called_within_the_call_window() -> None:
    assert call(cursor=48, entered=10, since=2.9) == 48
    assert call(cursor=48, entered=48, allowance=60, since=3.0) == 60


def test_nobody_is_called_while_the_allowance_is_used_up() -> None:
    assert call(cursor=60, entered=48, allowance=48, since=99) == 60


def test_steps_grow_when_only_some_of_those_called_enter() -> None:
    assert call(cursor=48, entered=24, since=3) == 48 + 48
    assert call(cursor=480, joined=9000, entered=1, since=3) == 480 + 47 * 32


def test_the_cursor_stays_within_joined_and_never_goes_back() -> None:
    assert call(joined=20) == 20
    assert call(cursor=50, joined=20, allowance=99) == 50


@given(cursor=numbers, joined=numbers, entered=numbers, allowance=numbers, since=st.none() | st.floats(0, 60))
def test_the_cursor_only_grows_and_calls_nobody_who_is_not_there(
    cursor: int, joined: int, entered: int, allowance: int, since: float | None
) -> None:
    moved = call(cursor=cursor, joined=joined, entered=entered, allowance=allowance, since=since)

    assert moved == cursor or cursor < moved <= joined


EXPECTED = 20_000


@pytest.mark.parametrize(
    ("joined", "limit", "per_second", "expected", "new"),
    [
        (0, 0, 0, EXPECTED, EXPECTED),  # the lobby's first tick
        (0, 1000, 0, EXPECTED, EXPECTED),
        (9_999, EXPECTED, 9_999, EXPECTED, EXPECTED),
        (19_999, EXPECTED, 9_999, EXPECTED, EXPECTED),  # those beyond are held until the next tick
        (EXPECTED, EXPECTED, 0, EXPECTED, EXPECTED + 1000),
        (EXPECTED, EXPECTED, 5000, EXPECTED, EXPECTED + 25_000),
        (3000, EXPECTED, 0, 3000, EXPECTED),  # the expectation was lowered: a limit never falls
        (100, 100, 0, 100, 200),
        (100, 100, 100, 100, 600),
        (150, 200, 0, 100, 250),
        (149, 200, 0, 100, 200),
        (0, 0, 0, None, 1000),
        (499, 1000, 0, None, 1000),
        (500, 1000, 0, None, 1500),
        (500, 1000, 5000, None, 25_500),
        (1000, 1000, 3, 0, 1015),
        (500, 90_000, 5000, None, 90_000),
    ],
)
def test_the_counter_limit_is_what_the_crowd_needs(
    joined: int, limit: int, per_second: float, expected: int | None, new: int
) -> None:
    assert (
        allocation.next_counter_limit(
            joined=joined, limit=limit, per_second=per_second, expected=expected, may_join=True
        )
        == new
    )


@pytest.mark.parametrize(("expected", "limit"), [(None, 1000), (EXPECTED, 1000), (100, 100)])
def test_before_the_lobby_little_is_leased(expected: int | None, limit: int) -> None:
    assert (
        allocation.next_counter_limit(joined=0, limit=0, per_second=0.0, expected=expected, may_join=False)
        == limit
    )


@given(joined=numbers, ahead=numbers, per_second=st.floats(0, 50_000), expected=st.none() | numbers)
def test_the_counter_limit_never_falls_and_never_runs_out(
    joined: int, ahead: int, per_second: float, expected: int | None
) -> None:
    limit = joined + ahead
    new = allocation.next_counter_limit(
        joined=joined, limit=limit, per_second=per_second, expected=expected, may_join=True
    )

    assert new >= limit
    assert new > joined or not expected
    if expected is not None and joined < expected:
        assert new == max(limit, expected)
