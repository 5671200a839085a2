from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.scaling.planning import capacity
from drops.scaling.planning.inputs import Part
from drops.scaling.planning.planner import plan
from tests.drops.scaling.plans import make_facts, make_target

HOOKS = make_target(id=2, name="hooks fleet", parts=(Part(group="hooks", percent=100, per_second=20.0),))


def test_reachable_is_the_plan_or_more_when_everything_is_there() -> None:
    facts = make_facts(targets=(make_target(), HOOKS), baseline_per_second=5)
    sizes = {line.target_id: line.desired_size for line in plan(facts).lines}

    rate, words = capacity.reachable(sizes=sizes, facts=facts)

    assert rate == pytest.approx(20)  # hooks: two of two that are needed
    assert words == []


def test_reachable_is_bound_by_the_target_that_lacks_most() -> None:
    facts = make_facts(targets=(make_target(), HOOKS), baseline_per_second=5)

    rate, words = capacity.reachable(sizes={1: 3, 2: 1}, facts=facts)

    assert rate == pytest.approx(20 * 3 / 6.1)
    assert words == [
        "web fleet: 3 workers serve, 6.1 are needed: good for 9.8 shoppers a second.",
        "hooks fleet: 1 workers serve, 2 are needed: good for 10 shoppers a second.",
    ]


def test_reachable_never_falls_below_the_baseline_while_that_stands() -> None:
    facts = make_facts(targets=(make_target(current_size=2),), baseline_per_second=8)

    assert capacity.reachable(sizes={1: 2}, facts=facts)[0] == 8
    assert capacity.reachable(sizes={1: 1}, facts=facts)[0] == 4
    assert capacity.reachable(sizes={1: 0}, facts=facts)[0] == 0


def test_reachable_believes_the_last_verified_size_when_a_target_is_unknown() -> None:
    facts = make_facts(targets=(make_target(ready_size=5),), baseline_per_second=1)

    assert capacity.reachable(sizes={1: None}, facts=facts)[0] == pytest.approx(20 * 5 / 6.1)
    assert capacity.reachable(sizes={}, facts=facts)[0] == pytest.approx(20 * 5 / 6.1)
    below = make_facts(targets=(make_target(ready_size=1),), baseline_per_second=1)
    assert capacity.reachable(sizes={}, facts=below)[0] == pytest.approx(20 * 2 / 6.1)


def test_reachable_of_no_targets_is_what_the_baseline_admits() -> None:
    assert capacity.reachable(sizes={}, facts=make_facts(targets=()))[0] == 25


def test_provisioned_from_nothing_does_not_close_the_shop() -> None:
    facts = make_facts(targets=(make_target(current_size=0),), baseline_per_second=8)

    assert capacity.reachable(sizes={1: 0}, facts=facts)[0] == 8


@given(size=st.integers(0, 100), more=st.integers(0, 100), current_size=st.integers(0, 20))
def test_reachable_never_falls_when_more_serve(size: int, more: Any, current_size: Any) -> None:
    facts = make_facts(targets=(make_target(current_size=current_size),))

    assert (
        capacity.reachable(sizes={1: size}, facts=facts)[0]
        <= capacity.reachable(sizes={1: size + more}, facts=facts)[0]
    )


def test_connections_add_up_and_say_so() -> None:
    facts = make_facts(targets=(make_target(connections=4),), connections_elsewhere=10)

    fleet = capacity.connections(sizes={1: 5}, facts=facts)

    assert (fleet.needed, fleet.allowed, fleet.fits) == (30, 97, True)
    assert fleet.message == "web fleet 5 × 4 + others 10 = 30, of 97 that the database allows."


def test_connections_are_bound_by_the_size_of_the_database() -> None:
    database = make_target(
        id=2,
        name="database",
        current_size=1,
        connection_limit=25,
        parts=(Part(group="database", percent=100, per_second=1.0),),
    )
    facts = make_facts(targets=(make_target(connections=4), database))

    assert capacity.connections(sizes={1: 10}, facts=facts).fits is False
    assert capacity.connections(sizes={1: 10, 2: 2}, facts=facts).fits is True


def test_connections_of_two_databases_are_bound_by_the_one_that_allows_fewer() -> None:
    part = (Part(group="database", percent=50, per_second=1.0),)
    large = make_target(id=2, name="large", current_size=4, connection_limit=25, parts=part)
    small = make_target(id=3, name="small", current_size=1, connection_limit=25, parts=part)
    fleet = capacity.connections(sizes={1: 10}, facts=make_facts(targets=(make_target(connections=4), large, small)))

    assert (fleet.allowed, fleet.message) == (25, "web fleet 10 × 4 = 40, of 25 that small allows.")


def test_connections_that_nobody_knows_the_limit_of_fit() -> None:
    facts = make_facts(targets=(make_target(connections=4),), connections_allowed=0)

    assert capacity.connections(sizes={1: 1000}, facts=facts).fits
