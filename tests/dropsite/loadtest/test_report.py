import json
from collections import Counter
from typing import Any

import pytest

from dropsite.loadtest import plans, report
from dropsite.loadtest.bill import Bill
from dropsite.loadtest.browser import Site
from dropsite.loadtest.stories import End, Story
from dropsite.loadtest.verdicts import Verdict

PLANS = plans.draw(shoppers=4, seed=1)
BILL = Bill(
    cpu={"web": 2.0, "gate": 0.5, "sandbox": 9.0},
    crowd_cpu=3.0,
    memory={"web": 200.0, "gate": 50.0, "sandbox": 70.0},
    peak=250.0,
    statements=100,
    frames=40,
    commands={"line": 10, "broker": 20},
    often=[(60, 3.0, "SELECT 1")],
)


def result(**fields: Any) -> report.Result:
    stories = [
        Story(PLANS[0], end=End.PLACED, deeds=Counter(arrived=1, placed=1), placed_seconds=2.5),
        Story(PLANS[1], end=End.PLACED, deeds=Counter(arrived=1, placed=1), placed_seconds=1.5),
        Story(PLANS[2], end=End.SOLD_OUT, deeds=Counter(arrived=1)),
        Story(PLANS[3], end=End.LEFT, deeds=Counter(arrived=1)),
    ]
    usual: dict[str, Any] = {
        "slug": "rehearsal-1", "seed": 7, "seconds": 31.0, "stories": stories,
        "site": Site(origin="http://x", ends=0, answers=Counter({"200": 9, "303": 2})),
        "verdicts": [Verdict("no index twice", True, "4 indices")], "still_open": 0, "orders": 2,
        "bill": BILL,
    }  # fmt: skip
    return report.Result(**usual | fields)


@pytest.mark.parametrize(("share", "value"), [(0.5, 3), (0.95, 5), (0.0, 1), (1.0, 5)])
def test_takes_the_nearest_rank(share, value):
    assert report.percentile([5, 1, 4, 2, 3], share) == value


def test_counts_deeds_and_ends():
    text = report.as_text(result())

    assert "arrived" + " " * 20 + "4" in text
    assert "has an order" + " " * 21 + "2" in text


def test_tells_cost_of_the_stack_apart_from_stand_ins():
    text = report.as_text(result())

    assert "the stack            2.50     1250.0      625.00       250" in text
    assert "(sandbox)            9.00" in text
    assert "(this crowd)         3.00" in text


def test_sets_figures_beside_the_reach():
    assert "50.0 statements an order (reach 60" in report.as_text(result())


def test_a_rehearsal_without_orders_has_a_report_too():
    assert "ms an order" not in report.as_text(result(orders=0))


def test_says_why_there_is_no_cost():
    assert "Cost: not told. It runs elsewhere." in report.as_text(result(bill=None, no_bill="It runs elsewhere."))


def test_names_what_fails():
    broken = result(verdicts=[Verdict("no index twice", False, "index 3")])

    assert "FAILS  no index twice: index 3" in report.as_text(broken)
    assert [verdict.name for verdict in broken.failed] == ["no index twice"]


def test_json_holds_what_the_tables_say():
    document = json.loads(json.dumps(report.as_json(result())))

    assert document["ok"] is True
    assert document["orders"] == 2
    assert document["ends"] == {"has an order": 2, "left by choice": 1, "sold out before": 1}
    assert document["times"]["pay to placed"] == {"count": 2, "median": 1.5, "p95": 2.5, "longest": 2.5}
    assert document["cost"]["stack_cpu"] == 2.5


def test_last_line_tells_of_holds_left_open():
    assert "2 orders, 3 holds left open, 1 checks hold" in report.summary(result(still_open=3))
