from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import ceil
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.scaling.planning import planner as planning
from drops.scaling.planning.inputs import PlanInputs, ShareInputs, TargetInputs
from drops.scaling.planning.planner import PlanLine, make_plan
from tests.drops.scaling.plans import LOBBY, NOW, make_inputs, make_target

GO = LOBBY - timedelta(seconds=600)
MINUTE = timedelta(minutes=1)


def database(**fields: Any) -> TargetInputs:
    usual = {"id": 9, "name": "database", "unit": "ACUs", "tier": 0, "current_size": 1, "lead_seconds": 600}
    return make_target(
        **usual | {"shares": (ShareInputs(group="database", percent=100, per_second=1000.0),)} | fields
    )


def only(inputs: PlanInputs) -> PlanLine:
    (line,) = make_plan(inputs).lines
    return line


# --- sizes --------------------------------------------------------------------------------------------------


def test_size_is_demand_divided_by_throughput() -> None:
    # 500 units at 20 payments a second: 20 shoppers a second × 9 requests, and 3 for refreshed caches.
    line = only(make_inputs())

    assert (line.desired_size, line.current_size, line.needs_approval) == (7, 2, False)  # 183 ÷ 30 = 6.1
    assert line.reasons[:2] == ("web: 100 % of 183/s ÷ 30/s per instance = 6.1", "with 0 % headroom: 7")


def test_headroom_is_added_to_the_size() -> None:
    assert (
        only(make_inputs(targets=(make_target(headroom_percent=50),))).desired_size == 10
    )  # 6.1 × 1.5 = 9.15


def test_a_share_of_a_group_needs_only_that_share() -> None:
    half = make_target(shares=(ShareInputs(group="web", percent=50, per_second=30.0),))

    assert only(make_inputs(targets=(half,))).desired_size == 4  # 3.05


def test_a_target_of_two_groups_adds_up_their_demand() -> None:
    both = make_target(
        shares=(
            ShareInputs(group="web", percent=100, per_second=30.0),
            ShareInputs(group="hooks", percent=100, per_second=20.0),
        )
    )

    assert only(make_inputs(targets=(both,))).desired_size == 9  # 6.1 + 40 ÷ 20


def test_size_allows_for_the_loss_of_a_zone() -> None:
    assert (
        only(make_inputs(targets=(make_target(zones=3),))).desired_size == 11
    )  # the fullest of three zones has 4


def test_size_is_never_below_floor_and_baseline() -> None:
    assert only(make_inputs(targets=(make_target(floor=20),))).desired_size == 20
    assert only(make_inputs(targets=(make_target(current_size=30),))).desired_size == 30


def test_size_stops_at_the_ceiling_with_a_warning_of_what_can_be_admitted() -> None:
    planned = make_plan(make_inputs(targets=(make_target(ceiling=3),), baseline_per_second=5))

    assert planned.lines[0].desired_size == 3
    assert planned.warnings[-2:] == (
        "web fleet: 3 workers serving, 6.1 needed; enough for 9.8 shoppers a second.",
        (
            "Even with this plan, only 9.8 shoppers a second can be admitted. "
            "Raise the ceilings of these targets, or expect fewer shoppers."
        ),
    )


def test_a_single_process_never_counts_for_more_than_one_core() -> None:
    inputs = make_inputs(
        targets=(
            make_target(
                is_single_process=True, shares=(ShareInputs(group="web", percent=100, per_second=1000.0),)
            ),
        )
    )

    assert only(inputs).desired_size == 2  # 0.8 s of CPU ÷ 6.3 ms: 127 a second
    assert only(inputs).reasons[0] == "web: 100 % of 183/s ÷ 127/s per instance = 1.4"


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
    part = ShareInputs(group=group, percent=100, per_second=per_second)
    target = make_target(
        shares=(part,),
        headroom_percent=headroom,
        zones=zones,
        current_size=current_size,
        floor=floor,
        ceiling=10**9,
    )
    inputs = make_inputs(expected=expected, units=units, targets=(target,))

    planned = make_plan(inputs)
    (line,) = planned.lines
    need = planned.demand[group].per_second / per_second

    left = line.desired_size - ceil(line.desired_size / zones) if zones > 1 else line.desired_size
    assert left * (1 + 1e-6) >= need * (1 + headroom / 100) or left >= ceil(
        need * (1 + headroom / 100) - 1e-6
    )
    assert line.desired_size >= max(floor, current_size)
    assert only(replace(inputs, expected=min(10_000_000, expected + more))).desired_size >= line.desired_size


@given(wanted=st.integers(0, 10_000), zones=st.integers(2, 6))
def test_size_for_zone_loss_is_the_smallest_that_is_enough(wanted: int, zones: int) -> None:
    size = planning.size_for_zone_loss(wanted, zones=zones)

    assert size - ceil(size / zones) >= wanted
    assert size == 0 or (size - 1) - ceil((size - 1) / zones) < wanted


# --- times --------------------------------------------------------------------------------------------------


def test_data_stores_start_first_and_everything_is_needed_at_the_go() -> None:
    workers = make_target(
        id=3,
        name="checkout",
        tier=2,
        lead_seconds=10,
        shares=(ShareInputs(group="checkout", percent=100, per_second=1.0),),
    )
    planned = make_plan(make_inputs(targets=(make_target(), workers, database())))

    assert [(line.target, line.starts_at, line.needed_at) for line in planned.lines] == [
        ("database", GO - timedelta(seconds=670), GO),
        ("web fleet", GO - timedelta(seconds=70), GO),
        ("checkout", GO - timedelta(seconds=10), GO),
    ]


def test_a_lead_time_longer_than_the_time_left_starts_at_once_with_a_warning() -> None:
    inputs = make_inputs(targets=(database(lead_seconds=3600),), now=GO - 20 * MINUTE)
    planned = make_plan(inputs)

    assert planned.problems == ()
    assert planned.lines[0].starts_at == inputs.now
    assert planned.warnings[-1] == (
        "database needs 3,600 s, but only 1,200 s are left until the go / no-go. It starts at once and may"
        " be late; admission is limited to what is ready by then. Open the lobby later to have all of it."
    )


def test_a_target_that_is_ready_already_has_no_lead_time_warning() -> None:
    late = GO - MINUTE / 2
    assert any("needs 60 s" in warning for warning in make_plan(make_inputs(now=late)).warnings)
    for target in (make_target(ready_size=7), make_target(current_size=7)):
        assert not any(
            "needs 60 s" in warning
            for warning in make_plan(make_inputs(now=late, targets=(target,))).warnings
        )


# --- ops' ceilings ------------------------------------------------------------------------------------------


def test_size_above_ops_ceiling_needs_approval() -> None:
    line = only(make_inputs(targets=(make_target(ops_ceiling=4),)))

    assert (line.desired_size, line.allowed_size, line.needs_approval) == (7, 4, True)
    assert "above ops' ceiling of 4: needs approval from ops" in line.reasons


@pytest.mark.parametrize(("approved", "needs_approval"), [(6, True), (7, False), (9, False)])
def test_approval_is_valid_up_to_the_approved_size(approved: int, needs_approval: bool) -> None:
    inputs = make_inputs(targets=(make_target(ops_ceiling=4),), approved_sizes={1: approved})

    assert only(inputs).needs_approval is needs_approval


# --- refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"expected": 0}, "Expected shoppers must be at least 1."),
        (
            {"expected": 10_000_001},
            "Expected shoppers: 10,000,001 is more than a line can take (10,000,000). Check for an extra zero.",
        ),
        ({"is_over": True}, "The drop is over, so there is nothing to scale for."),
        ({"lobby_opens_at": None}, "The drop has no times yet: set when the lobby and the drop open."),
        (
            {"units": 0},
            "The drop has nothing to sell: add an edition with a quantity, or release withheld units.",
        ),
        (
            {"targets": (make_target(floor=5, ceiling=4),)},
            "web fleet: the floor (5) is above the ceiling (4). Lower the floor or raise the ceiling.",
        ),
        (
            {"targets": (make_target(ops_ceiling=101),)},
            "web fleet: ops' ceiling (101) is above the ceiling (100). Lower ops' ceiling or raise the ceiling.",
        ),
        (
            {"targets": (make_target(shares=(ShareInputs(group="web", percent=100, per_second=0.0),)),)},
            "web fleet: the throughput of one instance for web must be above 0 per second.",
        ),
        (
            {"targets": (make_target(resource="x"), make_target(id=2, name="again", resource="x"))},
            "again, web fleet are the same resource (x). Keep one of these targets and delete the rest.",
        ),
    ],
)
def test_a_plan_with_problems_has_no_lines(changed: Any, problem: str) -> None:
    planned = make_plan(make_inputs(**changed))

    assert planned.problems == (problem,)
    assert planned.lines == ()


def test_a_plan_is_refused_if_the_database_allows_too_few_connections() -> None:
    fleet = make_target(connections=12)
    planned = make_plan(make_inputs(targets=(fleet,), connections_allowed=80, connections_elsewhere=10))

    (problem,) = planned.problems
    assert problem == (
        "Database connections: web fleet 7 × 12 + others 10 = 94; the database allows 80. Use smaller"
        " pools in web fleet, or let the database allow more."
    )
    assert (
        make_plan(make_inputs(targets=(fleet,), connections_allowed=94, connections_elsewhere=10)).problems
        == ()
    )


def test_a_scaled_database_allows_more_connections() -> None:
    fleet = make_target(connections=12)  # 84 in all
    assert make_plan(make_inputs(targets=(fleet, database(connection_limit=45)))).problems == ()  # grows to 2
    stopped = database(connection_limit=45, stopped_reason="Somebody else changed it.")
    assert (
        make_plan(make_inputs(targets=(fleet, stopped)))
        .problems[0]
        .startswith("Database connections: web fleet 7 × 12 = 84")
    )


def test_connections_count_the_sizes_that_other_drops_need() -> None:
    planned = make_plan(
        make_inputs(targets=(make_target(connections=12, other_leases_size=8),), connections_allowed=90)
    )

    assert planned.problems[0].startswith(
        "Database connections: web fleet 8 × 12 = 96; the database allows 90."
    )


# --- warnings -----------------------------------------------------------------------------------------------


def test_warning_when_payments_take_longer_than_15_minutes() -> None:
    many = make_plan(make_inputs(units=18_001, expected=100_000, checkout_slots=10_000))
    few = make_plan(make_inputs(units=18_000, expected=100_000, checkout_slots=10_000))

    assert many.warnings[0] == (
        "Payments: 18,001 units at 20 a second take 15 minutes, but card details that a shopper entered"
        " are valid for 15. Ask Stripe for a higher rate limit six weeks ahead, then set"
        " STRIPE_CALLS_PER_OPERATION to 21 and STRIPE_CALLS_PER_SECOND to 81; or offer fewer units in one"
        " drop."
    )
    assert not any(warning.startswith("Payments") for warning in few.warnings)
    assert many.problems == ()


def test_warning_when_slots_limit_the_payments() -> None:
    planned = make_plan(make_inputs(units=5_000, expected=100_000))

    assert planned.warnings[0] == (
        "Checkout: 200 slots, each taken for about 60 s, let 3.3 shoppers a second buy; 6,000 shoppers"
        " take 30 minutes. Set CHECKOUT_SLOTS to 1,200 to use all of the payment rate, or shorten the"
        " hold."
    )


def test_warning_when_shares_do_not_add_up() -> None:
    half = make_target(shares=(ShareInputs(group="web", percent=50, per_second=30.0),))

    assert (
        make_plan(make_inputs(targets=(half,))).warnings[0]
        == "web: the targets' shares add up to 50 %, not to 100 %."
    )


def test_warning_when_nothing_will_end_the_drop() -> None:
    planned = make_plan(make_inputs(expected=100))

    assert planned.warnings[-1] == (
        "Fewer shoppers are expected than there are units, and the drop has no closing time: the capacity"
        " stays until somebody closes the drop. Set a closing time."
    )
    assert make_plan(
        make_inputs(expected=100, closes_at=LOBBY + timedelta(hours=1))
    ).ends_at == LOBBY + timedelta(hours=1)


# --- cost ---------------------------------------------------------------------------------------------------


def test_cost_counts_instances_above_the_baseline_from_start_to_end() -> None:
    inputs = make_inputs(
        targets=(make_target(price_per_hour=Decimal("0.36"), price_reason="as set"),),
        closes_at=LOBBY + 70 * MINUTE,
    )
    inputs = replace(inputs, expected=400)  # fewer than units: the closing time ends it
    planned = make_plan(inputs)
    above = planned.lines[0].desired_size - 2

    # From a minute before the go to 70 minutes after the lobby's opening: 81 minutes.
    assert planned.price == (above * Decimal("0.36") * 81 / 60).quantize(Decimal("0.01"))
    assert planned.always_on == (above * Decimal("0.36") * 730).quantize(Decimal("0.01"))


def test_an_unknown_price_is_none() -> None:
    planned = make_plan(make_inputs())

    assert (planned.price, planned.always_on) == (None, None)


def test_a_plan_can_be_stored_as_json() -> None:
    planned = make_plan(
        make_inputs(targets=(make_target(price_per_hour=Decimal("0.05"), price_reason="as set"),))
    )
    kept = planned.as_json()

    assert kept["price"] == str(planned.price)
    assert kept["lines"][0]["starts_at"] == (GO - MINUTE).isoformat()
    assert kept["lines"][0]["reasons"] == list(planned.lines[0].reasons)
    assert kept["demand"]["web"]["per_second"] == 183.0
    assert planned.ends_at is not None
    assert planned.ends_at > NOW
