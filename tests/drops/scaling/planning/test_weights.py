from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.scaling.planning import lead_times, weights
from drops.scaling.planning.inputs import GROUPS
from drops.scaling.planning.weights import DEFAULTS, Measured


def make_measured(**fields: Any) -> Measured:
    usual: dict[str, Any] = {"slug": "0-kg", "group": "web", "shoppers": 1000, "entered": 200}
    return Measured(**usual | fields)


def test_every_group_has_a_default_with_its_source_and_a_capacity_to_begin_with() -> None:
    assert set(DEFAULTS) == set(weights.CAPACITY) == set(GROUPS)
    assert all(weight.evidence for weight in DEFAULTS.values())


def test_learn_without_drops_gives_the_defaults() -> None:
    assert weights.learn([]) == DEFAULTS


def test_learn_takes_requests_of_those_let_in_and_shows_the_evidence() -> None:
    learned = weights.learn([make_measured(requests=2400, cpu_seconds=12.0, slots=90)])["web"]

    assert (learned.per_admitted, learned.cpu_seconds) == (12.0, 0.005)
    assert learned.evidence == ("0-kg: 1,000 joined, 200 let in, used 2,400 units of work, 12 s of CPU, 90 slots",)


def test_learn_takes_the_busiest_second_of_those_who_came() -> None:
    learned = weights.learn([make_measured(group="gate", requests=1500, peak_per_second=80.0)])["gate"]

    assert learned.peak_per_shopper == 0.08
    assert learned.per_arrival == DEFAULTS["gate"].per_arrival


def test_learn_takes_the_most_demanding_of_the_last_three_drops() -> None:
    rows = [make_measured(requests=n) for n in (2000, 2600, 2200, 9000)]

    assert weights.learn(rows)["web"].per_admitted == 13.0


def test_learn_leaves_out_what_is_asked_for_whoever_comes() -> None:
    hour = make_measured(requests=12_000, seconds=3600.0)  # of which three a second refreshed caches

    assert weights.learn([hour])["web"].per_admitted == 6.0


def test_learn_takes_cpu_from_the_busiest_drop_and_from_none_that_was_idle() -> None:
    rows = [make_measured(requests=2500, cpu_seconds=50.0), make_measured(requests=10_000, cpu_seconds=60.0)]

    assert weights.learn(rows)["web"].cpu_seconds == 0.006
    assert weights.learn([make_measured(requests=1999, cpu_seconds=50.0)])["web"].cpu_seconds == 0.0063


def test_learn_does_not_learn_from_a_handful() -> None:
    assert weights.learn([make_measured(shoppers=49, requests=10_000)]) == DEFAULTS


def test_learn_keeps_the_default_where_nothing_was_measured() -> None:
    rows = [make_measured(group="database", connections=40), make_measured(group="checkout")]
    learned = weights.learn(rows)

    assert learned["database"].per_admitted == DEFAULTS["database"].per_admitted
    assert learned["database"].evidence == ("0-kg: 1,000 joined, 200 let in, used 40 connections",)
    assert learned["checkout"] == DEFAULTS["checkout"]


def test_lead_is_what_is_set_until_something_moved() -> None:
    assert lead_times.lead(seconds=[], least=60) == (60, "as set; nothing was moved yet")


def test_lead_is_the_slow_end_of_the_last_moves_and_half_as_much_again() -> None:
    assert lead_times.lead(seconds=[100.0] * 19 + [1000.0], least=60) == (
        150,
        "1.5 × 100 s, in which 95 % of the last 20 moves were done",
    )
    assert lead_times.lead(seconds=[100.0, 1000.0], least=60)[0] == 1500


def test_lead_forgets_moves_of_long_ago() -> None:
    assert lead_times.lead(seconds=[10.0] * 20 + [1000.0] * 20, least=1)[0] == 15


@given(seconds=st.lists(st.floats(0, 10_000), max_size=50), least=st.integers(0, 10_000))
def test_lead_is_never_below_what_is_set(seconds: list[float], least: int) -> None:
    found, _reason = lead_times.lead(seconds=seconds, least=least)

    assert found >= least
    assert found >= (sorted(seconds[:20])[-2] if len(seconds[:20]) >= 20 else max(seconds[:20], default=0))


@pytest.mark.parametrize("group", GROUPS)
def test_defaults_name_their_source(group: str) -> None:
    assert DEFAULTS[group].evidence[0].startswith("default: ")
    assert weights.CAPACITY[group][0] > 0
