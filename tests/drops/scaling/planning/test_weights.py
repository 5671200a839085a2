from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.scaling.planning import lead_times, weights
from drops.scaling.planning.inputs import GROUPS
from drops.scaling.planning.weights import DEFAULT_WEIGHTS, MeasuredDemand


def make_measured(**fields: Any) -> MeasuredDemand:
    usual: dict[str, Any] = {"slug": "0-kg", "group": "web", "shoppers": 1000, "entered": 200}
    return MeasuredDemand(**usual | fields)


def test_every_group_has_a_default_weight_and_throughput() -> None:
    assert set(DEFAULT_WEIGHTS) == set(weights.DEFAULT_THROUGHPUT) == set(GROUPS)
    assert all(weight.evidence for weight in DEFAULT_WEIGHTS.values())


def test_learn_without_drops_returns_the_defaults() -> None:
    assert weights.learn([]) == DEFAULT_WEIGHTS


def test_learn_divides_requests_by_admitted_shoppers() -> None:
    learned = weights.learn([make_measured(requests=2400, cpu_seconds=12.0, slots=90)])["web"]

    assert (learned.per_admitted, learned.cpu_seconds) == (12.0, 0.005)
    assert learned.evidence == (
        "0-kg: 1,000 joined, 200 entered, used 2,400 units of work, 12 s of CPU, 90 slots",
    )


def test_learn_divides_the_busiest_second_by_shoppers() -> None:
    learned = weights.learn([make_measured(group="gate", requests=1500, peak_per_second=80.0)])["gate"]

    assert learned.peak_per_shopper == 0.08
    assert learned.per_arrival == DEFAULT_WEIGHTS["gate"].per_arrival


def test_learn_takes_the_most_demanding_of_the_last_three_drops() -> None:
    rows = [make_measured(requests=n) for n in (2000, 2600, 2200, 9000)]

    assert weights.learn(rows)["web"].per_admitted == 13.0


def test_learn_subtracts_steady_requests() -> None:
    hour = make_measured(requests=12_000, seconds=3600.0)  # of which three a second refreshed caches

    assert weights.learn([hour])["web"].per_admitted == 6.0


def test_learn_takes_cpu_from_the_busiest_drop_unless_it_was_idle() -> None:
    rows = [make_measured(requests=2500, cpu_seconds=50.0), make_measured(requests=10_000, cpu_seconds=60.0)]

    assert weights.learn(rows)["web"].cpu_seconds == 0.006
    assert weights.learn([make_measured(requests=1999, cpu_seconds=50.0)])["web"].cpu_seconds == 0.0063


def test_learn_ignores_drops_with_few_shoppers() -> None:
    assert weights.learn([make_measured(shoppers=49, requests=10_000)]) == DEFAULT_WEIGHTS


def test_learn_keeps_the_default_where_nothing_was_measured() -> None:
    rows = [make_measured(group="database", connections=40), make_measured(group="checkout")]
    learned = weights.learn(rows)

    assert learned["database"].per_admitted == DEFAULT_WEIGHTS["database"].per_admitted
    assert learned["database"].evidence == ("0-kg: 1,000 joined, 200 entered, used 40 connections",)
    assert learned["checkout"] == DEFAULT_WEIGHTS["checkout"]


def test_lead_time_is_as_set_until_a_move_was_measured() -> None:
    assert lead_times.learned_lead_time(seconds=[], minimum=60) == (60, "as set; no move was measured yet")


def test_lead_time_is_the_95th_percentile_and_a_half_more() -> None:
    assert lead_times.learned_lead_time(seconds=[100.0] * 19 + [1000.0], minimum=60) == (
        150,
        "1.5 × 100 s, within which 95 % of the last 20 moves were done",
    )
    assert lead_times.learned_lead_time(seconds=[100.0, 1000.0], minimum=60)[0] == 1500


def test_lead_time_ignores_old_moves() -> None:
    assert lead_times.learned_lead_time(seconds=[10.0] * 20 + [1000.0] * 20, minimum=1)[0] == 15


@given(seconds=st.lists(st.floats(0, 10_000), max_size=50), least=st.integers(0, 10_000))
def test_lead_time_is_never_below_the_minimum(seconds: list[float], least: int) -> None:
    found, _reason = lead_times.learned_lead_time(seconds=seconds, minimum=least)

    assert found >= least
    assert found >= (sorted(seconds[:20])[-2] if len(seconds[:20]) >= 20 else max(seconds[:20], default=0))


@pytest.mark.parametrize("group", GROUPS)
def test_defaults_name_their_source(group: str) -> None:
    assert DEFAULT_WEIGHTS[group].evidence[0].startswith("default: ")
    assert weights.DEFAULT_THROUGHPUT[group][0] > 0
