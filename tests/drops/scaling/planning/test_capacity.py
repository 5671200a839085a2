from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.scaling.planning import capacity
from drops.scaling.planning.inputs import ShareInputs
from drops.scaling.planning.planner import make_plan
from tests.drops.scaling.plans import make_inputs, make_target

HOOKS = make_target(
    id=2, name="hooks fleet", shares=(ShareInputs(group="hooks", percent=100, per_second=20.0),)
)


def test_reachable_rate_is_the_planned_one_when_everything_is_ready() -> None:
    inputs = make_inputs(targets=(make_target(), HOOKS), baseline_per_second=5)
    sizes = {line.target_id: line.desired_size for line in make_plan(inputs).lines}

    rate, words = capacity.reachable_rate(sizes=sizes, inputs=inputs)

    assert rate == pytest.approx(20)  # hooks: two of two that are needed
    assert words == []


def test_reachable_rate_is_limited_by_the_target_that_lacks_most() -> None:
    inputs = make_inputs(targets=(make_target(), HOOKS), baseline_per_second=5)

    rate, words = capacity.reachable_rate(sizes={1: 3, 2: 1}, inputs=inputs)

    assert rate == pytest.approx(20 * 3 / 6.1)
    assert words == [
        "web fleet: 3 workers serving, 6.1 needed; enough for 9.8 shoppers a second.",
        "hooks fleet: 1 workers serving, 2 needed; enough for 10 shoppers a second.",
    ]


def test_reachable_rate_is_never_below_that_of_the_baseline() -> None:
    inputs = make_inputs(targets=(make_target(current_size=2),), baseline_per_second=8)

    assert capacity.reachable_rate(sizes={1: 2}, inputs=inputs)[0] == 8
    assert capacity.reachable_rate(sizes={1: 1}, inputs=inputs)[0] == 4
    assert capacity.reachable_rate(sizes={1: 0}, inputs=inputs)[0] == 0


def test_reachable_rate_uses_the_last_verified_size_of_an_unknown_target() -> None:
    inputs = make_inputs(targets=(make_target(ready_size=5),), baseline_per_second=1)

    assert capacity.reachable_rate(sizes={1: None}, inputs=inputs)[0] == pytest.approx(20 * 5 / 6.1)
    assert capacity.reachable_rate(sizes={}, inputs=inputs)[0] == pytest.approx(20 * 5 / 6.1)
    below = make_inputs(targets=(make_target(ready_size=1),), baseline_per_second=1)
    assert capacity.reachable_rate(sizes={}, inputs=below)[0] == pytest.approx(20 * 2 / 6.1)


def test_reachable_rate_without_targets_is_that_of_the_baseline() -> None:
    assert capacity.reachable_rate(sizes={}, inputs=make_inputs(targets=()))[0] == 25


def test_reachable_rate_of_a_target_with_baseline_0_is_that_of_the_baseline() -> None:
    inputs = make_inputs(targets=(make_target(current_size=0),), baseline_per_second=8)

    assert capacity.reachable_rate(sizes={1: 0}, inputs=inputs)[0] == 8


@given(size=st.integers(0, 100), more=st.integers(0, 100), current_size=st.integers(0, 20))
def test_reachable_rate_never_falls_with_more_instances(size: int, more: Any, current_size: Any) -> None:
    inputs = make_inputs(targets=(make_target(current_size=current_size),))

    assert (
        capacity.reachable_rate(sizes={1: size}, inputs=inputs)[0]
        <= capacity.reachable_rate(sizes={1: size + more}, inputs=inputs)[0]
    )


def test_connection_use_adds_up_and_explains_the_sum() -> None:
    inputs = make_inputs(targets=(make_target(connections=4),), connections_elsewhere=10)

    fleet = capacity.connection_use(sizes={1: 5}, inputs=inputs)

    assert (fleet.needed, fleet.allowed, fleet.fits) == (30, 97, True)
    assert fleet.message == "web fleet 5 × 4 + others 10 = 30; the database allows 97."


def test_connection_use_is_limited_by_the_size_of_the_database() -> None:
    database = make_target(
        id=2,
        name="database",
        current_size=1,
        connection_limit=25,
        shares=(ShareInputs(group="database", percent=100, per_second=1.0),),
    )
    inputs = make_inputs(targets=(make_target(connections=4), database))

    assert capacity.connection_use(sizes={1: 10}, inputs=inputs).fits is False
    assert capacity.connection_use(sizes={1: 10, 2: 2}, inputs=inputs).fits is True


def test_connection_use_is_limited_by_the_database_that_allows_fewer() -> None:
    part = (ShareInputs(group="database", percent=50, per_second=1.0),)
    large = make_target(id=2, name="large", current_size=4, connection_limit=25, shares=part)
    small = make_target(id=3, name="small", current_size=1, connection_limit=25, shares=part)
    fleet = capacity.connection_use(
        sizes={1: 10}, inputs=make_inputs(targets=(make_target(connections=4), large, small))
    )

    assert (fleet.allowed, fleet.message) == (25, "web fleet 10 × 4 = 40; small allows 25.")


def test_connection_use_fits_when_no_limit_is_known() -> None:
    inputs = make_inputs(targets=(make_target(connections=4),), connections_allowed=0)

    assert capacity.connection_use(sizes={1: 1000}, inputs=inputs).fits
