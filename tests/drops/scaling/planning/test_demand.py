from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.scaling.planning import arrivals, demand, figures
from drops.scaling.planning.arrivals import ArrivalCurve, ArrivalSpan
from drops.scaling.planning.inputs import Weight
from drops.waitingroom.protocol import status
from tests.drops.scaling.plans import LOBBY, make_inputs

AT_ONCE = ArrivalCurve((ArrivalSpan("lobby", 0, 100, 1.0),), "a test")


def test_admission_rate_is_limited_by_payments_slots_or_stock() -> None:
    assert demand.admission_rate(make_inputs(checkout_slots=1000))[0] == 20
    assert demand.admission_rate(make_inputs(checkout_slots=150))[0] == 15
    assert demand.admission_rate(make_inputs(units=50)) == (
        6.0,
        "stock: 50 units are enough for 60 shoppers, who may all be admitted within 10 s",
    )
    assert demand.admission_rate(make_inputs(units=50, units_per_hold=2.0))[0] == 3
    assert demand.admission_rate(make_inputs(expected=30))[0] == 3


def test_demand_on_the_gate_follows_arrivals() -> None:
    inputs = make_inputs(curve=AT_ONCE, weights={"gate": Weight(group="gate", per_arrival=2.0, steady=1.0)})

    assert demand.group_demands(inputs)["gate"].per_second == 20_000 / 100 * 2 + 1


def test_demand_on_the_edge_peaks_when_every_page_polls_at_the_opening() -> None:
    inputs = make_inputs(curve=AT_ONCE, weights={"edge": Weight(group="edge", per_arrival=14.0)})

    assert demand.group_demands(inputs)["edge"].per_second == pytest.approx(20_000 * 2 / 3)


def test_opening_poll_share_follows_from_the_poll_rule() -> None:
    document: Any = {"poll": status.POLL, "phase": "lobby", "lobby_opens": 0.0, "opens": 100.0}
    looks = [status.poll_seconds(document, None, 90.0, i / 1000) + 90.0 - 100.0 for i in range(1000)]

    busiest = max(sum(at <= look < at + 1 for look in looks) for at in (0.0, 1.0, 2.0))
    assert busiest / 1000 == pytest.approx(demand.OPENING_POLL_SHARE, abs=0.01)


def test_polls_per_second_follows_the_poll_rule_of_a_short_line() -> None:
    slow = make_inputs(expected=200, payments_per_second=0.01, curve=AT_ONCE)

    assert demand.polls_per_second(slow) == pytest.approx(1 / 5, rel=0.1)


def test_measured_peak_replaces_the_arrival_curve() -> None:
    seen = Weight(group="gate", per_arrival=2.0, per_admitted=5.0, peak_per_shopper=0.05, evidence=("seen",))
    found = demand.group_demands(make_inputs(weights={"gate": seen}))["gate"]

    assert found.per_second == 1000
    assert found.reasons == ("20,000 shoppers × 0.05 in the busiest second, as measured = 1,000/s", "seen")


def test_groups_behind_the_gate_do_not_grow_with_the_crowd() -> None:
    few, many = (demand.group_demands(make_inputs(expected=n)) for n in (1_000, 1_000_000))

    for group in ("web", "hooks", "checkout", "capture", "database"):
        assert few[group].per_second == many[group].per_second
    for group in ("edge", "gate", "line redis"):
        assert few[group].per_second < many[group].per_second


@given(
    expected=st.integers(1, 10_000_000), more=st.integers(0, 10_000_000), units=st.integers(1, 10**6),
    lobby=st.integers(1, 7200),
)  # fmt: skip
def test_demand_never_falls_when_more_come(expected: Any, more: Any, units: Any, lobby: int) -> None:
    inputs = make_inputs(expected=expected, units=units, opens_at=LOBBY + timedelta(seconds=lobby))

    fewer, those = (
        demand.group_demands(inputs),
        demand.group_demands(replace(inputs, expected=expected + more)),
    )
    assert all(those[group].per_second >= fewer[group].per_second * (1 - 1e-9) for group in fewer)


@given(lobby=st.floats(0.1, 100_000))
def test_moments_end_with_everybody_present_and_begin_with_the_lobby(lobby: int) -> None:
    spans = arrivals.DEFAULT_CURVE.placed(lobby_seconds=lobby)
    last = list(arrivals.moments(arrivals.DEFAULT_CURVE, lobby_seconds=lobby))[-1]

    assert sum(share for _, _, share in spans) == pytest.approx(1)
    assert min(begins for begins, _, _ in spans) >= -max(lobby, 1.0) - 1e-6
    assert last.present == pytest.approx(1)


def test_total_polls_grow_with_the_crowd() -> None:
    inputs = make_inputs(expected=1000, units=10)

    assert 1000 < demand.total_polls(inputs) < 100_000
    assert demand.total_polls(replace(inputs, expected=2000)) > demand.total_polls(inputs)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.04512, "0.045"), (1.25, "1.2"), (12.34, "12.3"), (12.0, "12"), (1234.5, "1,234")],
)
def test_short_rounds_to_significant_digits(number: float, text: str) -> None:
    assert figures.short(number) == text
