import json
from collections import Counter
from typing import Any

import pytest

from dropsite.loadtest import report
from dropsite.loadtest.assertions import Assertion
from dropsite.loadtest.cost.figures import Cost, FrequentStatement
from dropsite.loadtest.users import behaviour
from dropsite.loadtest.users.browser import Site
from dropsite.loadtest.users.sessions import Outcome, Session

BEHAVIOURS = behaviour.draw(shoppers=4, seed=1)
COST = Cost(
    cpu_seconds={"web": 2.0, "gate": 0.5, "sandbox": 9.0},
    crowd_cpu_seconds=3.0,
    memory_mib={"web": 200.0, "gate": 50.0, "sandbox": 70.0},
    peak_mib=250.0,
    statements=100,
    transaction_statements=40,
    redis_commands={"line": 10, "broker": 20},
    frequent=[FrequentStatement(60, 3.0, "SELECT 1")],
)


def make_result(**fields: Any) -> report.Result:
    sessions = [
        Session(
            BEHAVIOURS[0], outcome=Outcome.PLACED, events=Counter(arrived=1, placed=1), placed_seconds=2.5
        ),
        Session(
            BEHAVIOURS[1], outcome=Outcome.PLACED, events=Counter(arrived=1, placed=1), placed_seconds=1.5
        ),
        Session(BEHAVIOURS[2], outcome=Outcome.SOLD_OUT, events=Counter(arrived=1)),
        Session(BEHAVIOURS[3], outcome=Outcome.LEFT, events=Counter(arrived=1)),
    ]
    defaults: dict[str, Any] = {
        "slug": "rehearsal-1",
        "seed": 7,
        "seconds": 31.0,
        "sessions": sessions,
        "site": Site(origin="http://x", deadline=0, responses=Counter({"200": 9, "303": 2})),
        "assertions": [Assertion("no index twice", True, "4 indices")],
        "open_holds": 0,
        "orders": 2,
        "cost": COST,
    }
    return report.Result(**defaults | fields)


@pytest.mark.parametrize(("share", "expected"), [(0.5, 3), (0.95, 5), (0.0, 1), (1.0, 5)])
def test_percentile_takes_the_nearest_rank(share: float, expected: float) -> None:
    assert report.percentile([5, 1, 4, 2, 3], share) == expected


def test_as_text_counts_events_and_outcomes() -> None:
    text = report.as_text(make_result())

    assert "arrived" + " " * 20 + "4" in text
    assert "has an order" + " " * 21 + "2" in text


def test_as_text_lists_the_cost_of_the_shop_apart_from_stand_ins() -> None:
    text = report.as_text(make_result())

    assert "the shop             2.50     1250.0      625.00       250" in text
    assert "(sandbox)            9.00" in text
    assert "(the shoppers)       3.00" in text


def test_as_text_compares_figures_with_targets() -> None:
    assert "50.0 statements per order (target 60" in report.as_text(make_result())


def test_as_text_works_without_orders() -> None:
    assert "ms per order" not in report.as_text(make_result(orders=0))


def test_as_text_says_why_the_cost_is_missing() -> None:
    text = report.as_text(make_result(cost=None, cost_unavailable="It runs elsewhere."))

    assert "Cost: not measured. It runs elsewhere." in text


def test_as_text_names_what_failed() -> None:
    result = make_result(assertions=[Assertion("no index twice", False, "index 3")])

    assert "FAILED  no index twice: index 3" in report.as_text(result)
    assert [assertion.name for assertion in result.failed] == ["no index twice"]


def test_as_json_has_the_figures_of_the_tables() -> None:
    document = json.loads(json.dumps(report.as_json(make_result())))

    assert document["ok"] is True
    assert document["orders"] == 2
    assert document["ends"] == {"has an order": 2, "left by choice": 1, "sold out before": 1}
    assert document["times"]["pay to placed"] == {"count": 2, "median": 1.5, "p95": 2.5, "longest": 2.5}
    assert document["checks"] == [{"name": "no index twice", "ok": True, "detail": "4 indices"}]


def test_as_json_has_the_cost() -> None:
    document = json.loads(json.dumps(report.as_json(make_result())))

    assert document["cost"] == {
        "cpu": {"web": 2.0, "gate": 0.5, "sandbox": 9.0},
        "crowd_cpu": 3.0,
        "memory": {"web": 200.0, "gate": 50.0, "sandbox": 70.0},
        "peak": 250.0,
        "statements": 100,
        "frames": 40,
        "commands": {"line": 10, "broker": 20},
        "often": [[60, 3.0, "SELECT 1"]],
        "stack_cpu": 2.5,
    }


def test_summary_mentions_failures_of_its_own_connection() -> None:
    assert "its own database connection failed 2 times" in report.summary(make_result(database_failures=2))


def test_summary_mentions_open_holds() -> None:
    assert "2 orders, 3 holds still open, all 1 checks passed" in report.summary(make_result(open_holds=3))
