from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.scaling.planning import planner as planning
from drops.scaling.planning.inputs import Part, PlanInputs, TargetInputs
from drops.scaling.planning.planner import PlanLine, plan
from tests.drops.scaling.plans import LOBBY, NOW, make_facts, make_target

GO = LOBBY - timedelta(seconds=600)
MINUTE = timedelta(minutes=1)


def database(**fields: Any) -> TargetInputs:
    boring = {"id": 9, "name": "database", "unit": "ACUs", "tier": 0, "current_size": 1, "lead_seconds": 600}
    return make_target(**boring | {"parts": (Part(group="database", percent=100, per_second=1000.0),)} | fields)


def only(facts: PlanInputs) -> PlanLine:
    (line,) = plan(facts).lines
    return line


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_size_is_demand_by_what_one_instance_can_do() -> None:
    # 500 units at 20 payments a second: 20 shoppers a second × 9 requests, and 3 for refreshed caches.
    line = only(make_facts())

    assert (line.desired_size, line.current_size, line.needs_approval) == (7, 2, False)  # 183 ÷ 30 = 6.1
    assert line.reasons[:2] == ("web: 100 % of 183/s ÷ 30/s an instance = 6.1", "with 0 % headroom: 7")


def test_headroom_comes_on_top() -> None:
    assert only(make_facts(targets=(make_target(headroom_percent=50),))).desired_size == 10  # 6.1 × 1.5 = 9.15


def test_a_share_of_a_group_needs_only_that_share() -> None:
    half = make_target(parts=(Part(group="web", percent=50, per_second=30.0),))

    assert only(make_facts(targets=(half,))).desired_size == 4  # 3.05


def test_a_target_of_two_groups_adds_them_up() -> None:
    both = make_target(
        parts=(Part(group="web", percent=100, per_second=30.0), Part(group="hooks", percent=100, per_second=20.0))
    )

    assert only(make_facts(targets=(both,))).desired_size == 9  # 6.1 + 40 ÷ 20


def test_a_lost_zone_leaves_enough() -> None:
    assert only(make_facts(targets=(make_target(zones=3),))).desired_size == 11  # the fullest of three zones has 4


def test_a_size_is_never_below_floor_and_baseline() -> None:
    assert only(make_facts(targets=(make_target(floor=20),))).desired_size == 20
    assert only(make_facts(targets=(make_target(current_size=30),))).desired_size == 30


def test_a_size_stops_at_the_ceiling_and_says_what_can_be_let_in() -> None:
    planned = plan(make_facts(targets=(make_target(ceiling=3),), baseline_per_second=5))

    assert planned.lines[0].desired_size == 3
    assert planned.warnings[-2:] == (
        "web fleet: 3 workers serve, 6.1 are needed: good for 9.8 shoppers a second.",
        "Even as planned, 9.8 shoppers a second can be let in. Raise these ceilings, or expect fewer.",
    )


def test_a_single_process_is_not_believed_to_do_more_than_a_core() -> None:
    facts = make_facts(
        targets=(make_target(one_core=True, parts=(Part(group="web", percent=100, per_second=1000.0),)),)
    )

    assert only(facts).desired_size == 2  # 0.8 s of CPU ÷ 6.3 ms: 127 a second
    assert only(facts).reasons[0] == "web: 100 % of 183/s ÷ 127/s an instance = 1.4"


@given(
    expected=st.integers(1, 1_000_000),
    units=st.integers(1, 100_000),
    more=st.integers(0, 1_000_000),
    per_second=st.floats(0.5, 10_000),
    headroom=st.integers(0, 200),
    zones=st.integers(1, 6),
    current_size=st.integers(0, 50),
    floor=st.integers(0, 50),
    group=st.sampled_from(["edge", "gate", "web", "checkout", "database", "line redis"]),
)
def test_size_is_enough_and_grows_with_the_crowd(
    *,
    expected: Any,
    units: Any,
    more: Any,
    per_second: Any,
    headroom: Any,
    zones: Any,
    current_size: Any,
    floor: Any,
    group: str,
) -> None:
    part = Part(group=group, percent=100, per_second=per_second)
    target = make_target(
        parts=(part,), headroom_percent=headroom, zones=zones, current_size=current_size, floor=floor, ceiling=10**9
    )
    facts = make_facts(expected=expected, units=units, targets=(target,))

    planned = plan(facts)
    (line,) = planned.lines
    need = planned.demand[group].per_second / per_second

    left = line.desired_size - ceil(line.desired_size / zones) if zones > 1 else line.desired_size
    assert left * (1 + 1e-6) >= need * (1 + headroom / 100) or left >= ceil(need * (1 + headroom / 100) - 1e-6)
    assert line.desired_size >= max(floor, current_size)
    assert only(replace(facts, expected=min(10_000_000, expected + more))).desired_size >= line.desired_size


@given(wanted=st.integers(0, 10_000), zones=st.integers(2, 6))
def test_with_a_zone_lost_is_the_least_size_that_is_enough(wanted: int, zones: int) -> None:
    size = planning.with_a_zone_lost(wanted, zones=zones)

    assert size - ceil(size / zones) >= wanted
    assert size == 0 or (size - 1) - ceil((size - 1) / zones) < wanted


# --- times -----------------------------------------------------------------------------------------------------------


def test_data_stores_start_first_and_everything_is_there_at_the_go() -> None:
    workers = make_target(
        id=3, name="checkout", tier=2, lead_seconds=10, parts=(Part(group="checkout", percent=100, per_second=1.0),)
    )
    planned = plan(make_facts(targets=(make_target(), workers, database())))

    assert [(line.target, line.starts_at, line.needed_at) for line in planned.lines] == [
        ("database", GO - timedelta(seconds=670), GO),
        ("web fleet", GO - timedelta(seconds=70), GO),
        ("checkout", GO - timedelta(seconds=10), GO),
    ]


def test_a_lead_longer_than_what_is_left_starts_at_once_and_is_told() -> None:
    facts = make_facts(targets=(database(lead_seconds=3600),), now=GO - 20 * MINUTE)
    planned = plan(facts)

    assert planned.problems == ()
    assert planned.lines[0].starts_at == facts.now
    assert planned.warnings[-1] == (
        "database needs 3600 s, and 1,200 s are left before the go or no-go: it starts at once and may be late. What is"
        " ready by then is what will be let in; open the lobby later to have it all."
    )


def test_a_target_that_is_there_already_is_not_told_to_be_late() -> None:
    late = GO - MINUTE / 2
    assert any("needs 60 s" in warning for warning in plan(make_facts(now=late)).warnings)
    for target in (make_target(ready_size=7), make_target(current_size=7)):
        assert not any("needs 60 s" in warning for warning in plan(make_facts(now=late, targets=(target,))).warnings)


# --- ops' ceilings ---------------------------------------------------------------------------------------------------


def test_what_lies_beyond_ops_ceiling_waits_for_a_yes() -> None:
    line = only(make_facts(targets=(make_target(ops_ceiling=4),)))

    assert (line.desired_size, line.allowed, line.needs_approval) == (7, 4, True)
    assert "ops' ceiling is 4: more than that waits for a yes from ops" in line.reasons


@pytest.mark.parametrize(("approved", "needs_approval"), [(6, True), (7, False), (9, False)])
def test_a_yes_is_good_for_the_size_it_was_given_for(approved: int, needs_approval: bool) -> None:
    facts = make_facts(targets=(make_target(ops_ceiling=4),), approved={1: approved})

    assert only(facts).needs_approval is needs_approval


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"expected": 0}, "Expected shoppers: 0 is no crowd. Type how many people you expect in the line, all in all."),
        (
            {"expected": 10_000_001},
            "Expected shoppers: 10,000,001 is more than the 10,000,000 a line is built for. Is there a zero too many?",
        ),
        ({"over": True}, "The drop is over: nothing is prepared for it any more."),
        ({"lobby_opens_at": None}, "The drop has no times yet: set when its lobby and the drop open."),
        (
            {"units": 0},
            "The drop has nothing to sell: add an edition with a quantity, or give withheld units back.",
        ),
        (
            {"targets": (make_target(floor=5, ceiling=4),)},
            "web fleet: its floor, 5, is above its ceiling, 4. Lower the one or raise the other.",
        ),
        (
            {"targets": (make_target(ops_ceiling=101),)},
            "web fleet: ops' ceiling, 101, lies above its ceiling, 100, which it can never pass.",
        ),
        (
            {"targets": (make_target(parts=(Part(group="web", percent=100, per_second=0.0),)),)},
            "web fleet: requests a second of one instance for web must be above 0.",
        ),
        (
            {"targets": (make_target(resource="x"), make_target(id=2, name="again", resource="x"))},
            "again, web fleet are the same thing (x). Delete all of these targets but one.",
        ),
    ],
)
def test_a_plan_is_refused_with_what_is_wrong_and_has_no_lines(changed: Any, problem: str) -> None:
    planned = plan(make_facts(**changed))

    assert planned.problems == (problem,)
    assert planned.lines == ()


def test_a_grown_fleet_that_the_database_has_no_connections_for_is_refused_with_the_sum() -> None:
    fleet = make_target(connections=12)
    planned = plan(make_facts(targets=(fleet,), connections_allowed=80, connections_elsewhere=10))

    (problem,) = planned.problems
    assert problem == (
        "Database connections: web fleet 7 × 12 + others 10 = 94, of 80 that the database allows. Let web fleet have"
        " fewer or smaller pools, or give the database more."
    )
    assert plan(make_facts(targets=(fleet,), connections_allowed=94, connections_elsewhere=10)).problems == ()


def test_a_database_that_grows_allows_more_connections() -> None:
    fleet = make_target(connections=12)  # 84 in all
    assert plan(make_facts(targets=(fleet, database(connection_limit=45)))).problems == ()  # grows to 2
    stopped = database(connection_limit=45, stopped="Somebody else changed it.")
    assert (
        plan(make_facts(targets=(fleet, stopped))).problems[0].startswith("Database connections: web fleet 7 × 12 = 84")
    )


def test_a_target_that_another_drop_needs_larger_counts_with_that() -> None:
    planned = plan(make_facts(targets=(make_target(connections=12, lowest_by_others=8),), connections_allowed=90))

    assert planned.problems[0].startswith("Database connections: web fleet 8 × 12 = 96, of 90")


# --- warnings --------------------------------------------------------------------------------------------------------


def test_units_that_payments_cannot_carry_in_a_quarter_of_an_hour_are_told() -> None:
    many = plan(make_facts(units=18_001, expected=100_000, checkout_slots=10_000))
    few = plan(make_facts(units=18_000, expected=100_000, checkout_slots=10_000))

    assert many.warnings[0] == (
        "Payments: 18,001 units at 20 a second take 15 minutes, and what a shopper typed is good for 15. Ask Stripe for"
        " a higher limit, six weeks ahead, and set STRIPE_CALLS_PER_OPERATION to 21 and STRIPE_CALLS_PER_SECOND to 61;"
        " or offer fewer units in one drop."
    )
    assert not any(warning.startswith("Payments") for warning in few.warnings)
    assert many.problems == ()


def test_slots_that_holds_keep_taken_are_told() -> None:
    planned = plan(make_facts(units=5_000, expected=100_000))

    assert planned.warnings[0] == (
        "Checkout: 200 slots, each taken for about 60 s, let 3.3 shoppers a second buy: 6,000 of them take 30 minutes."
        " Set CHECKOUT_SLOTS to 1,200 to reach what payments carry, or shorten the hold."
    )


def test_shares_that_do_not_add_up_are_told() -> None:
    half = make_target(parts=(Part(group="web", percent=50, per_second=30.0),))

    assert plan(make_facts(targets=(half,))).warnings[0] == "web: the targets' shares add up to 50 %, not to 100."


def test_a_drop_that_nothing_will_end_is_told() -> None:
    planned = plan(make_facts(expected=100))

    assert planned.warnings[-1] == (
        "Fewer shoppers are expected than there are units, and the drop has no closing time: the capacity would be held"
        " until somebody closes it. Set when it closes."
    )
    assert plan(make_facts(expected=100, closes_at=LOBBY + timedelta(hours=1))).ends_at == LOBBY + timedelta(hours=1)


# --- cost ------------------------------------------------------------------------------------------------------------


def test_cost_is_what_stands_above_the_baseline_from_its_start_to_the_end() -> None:
    facts = make_facts(
        targets=(make_target(price_per_hour=Decimal("0.36"), price_reason="as set"),), closes_at=LOBBY + 70 * MINUTE
    )
    facts = replace(facts, expected=400)  # fewer than units: the closing time ends it
    planned = plan(facts)
    above = planned.lines[0].desired_size - 2

    # From a minute before the go to 70 minutes after the lobby's opening: 81 minutes.
    assert planned.price == (above * Decimal("0.36") * 81 / 60).quantize(Decimal("0.01"))
    assert planned.always_on == (above * Decimal("0.36") * 730).quantize(Decimal("0.01"))


def test_a_price_that_nobody_knows_is_none() -> None:
    planned = plan(make_facts())

    assert (planned.price, planned.always_on) == (None, None)


def test_a_plan_can_be_kept_as_json() -> None:
    planned = plan(make_facts(targets=(make_target(price_per_hour=Decimal("0.05"), price_reason="as set"),)))
    kept = planned.as_json()

    assert kept["price"] == str(planned.price)
    assert kept["lines"][0]["starts_at"] == (GO - MINUTE).isoformat()
    assert kept["lines"][0]["reasons"] == list(planned.lines[0].reasons)
    assert kept["demand"]["web"]["per_second"] == 183.0
    assert planned.ends_at is not None
    assert planned.ends_at > NOW
