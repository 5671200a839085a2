from typing import Any

import pytest

from dropsite.loadtest import assertions
from dropsite.loadtest.users import behaviour
from dropsite.loadtest.users.sessions import Outcome, Session

BEHAVIOURS = behaviour.draw(shoppers=5, seed=1)


@pytest.mark.parametrize(
    ("routes", "ok"),
    [
        ({"200": 9}, True),
        ({"200": 9, "409": 3}, True),
        ({"200": 9, "503": 1}, False),
        ({"200": 9, "429": 1}, False),
        ({"200": 9, "no answer": 1}, False),
        ({"200": 9, "500": 1}, False),
    ],
)
def test_a_join_that_the_shop_refused_fails_a_burst(routes: dict[str, int], ok: bool) -> None:
    counted = {f"POST /line/…/join {status}": count for status, count in routes.items()}

    assertion = assertions.no_join_refused(counted | {"POST /line/…/enter 503": 1})

    assert assertion.ok is ok


def make_session(number: int, **fields: Any) -> Session:
    defaults = {"outcome": Outcome.SOLD_OUT, "indices": [number]}
    return Session(BEHAVIOURS[number], **(defaults | fields))


def failed(*sessions: Session) -> list[str]:
    return [assertion.name for assertion in assertions.check_sessions(sessions) if not assertion.ok]


def test_check_sessions_passes_a_good_crowd() -> None:
    rejoined = make_session(0, indices=[0, 0])
    buyer = make_session(1, outcome=Outcome.PLACED, pieces=["S No. 1"])
    never_joined = make_session(2, indices=[])

    assert failed(rejoined, buyer, never_joined) == []


def test_check_sessions_notices_an_index_given_twice() -> None:
    assert failed(make_session(0), make_session(1, indices=[0])) == ["no index is given twice"]


def test_check_sessions_notices_a_different_index_after_rejoining() -> None:
    assert failed(make_session(0, indices=[0, 3])) == ["joining again returns the same index"]


def test_check_sessions_notices_a_piece_sold_twice() -> None:
    sessions = [make_session(number, pieces=["S No. 1"]) for number in range(2)]

    assert failed(*sessions) == ["no piece is sold to two shoppers"]


def test_check_sessions_notices_an_unexpected_page() -> None:
    assert failed(make_session(0, problems=["paying: Pay answered 500"])) == ["no page was unexpected"]


def test_check_sessions_notices_an_unfinished_session() -> None:
    unfinished = make_session(0, outcome=Outcome.OUT_OF_TIME, step="paying")

    assert failed(unfinished) == ["every session ended in time"]


def test_critical_notices_a_piece_sold_twice() -> None:
    sessions = [make_session(number, pieces=["S No. 1"]) for number in range(2)]

    assert [assertion.ok for assertion in assertions.critical(sessions)] == [True, False]


def test_check_sessions_counts_sent_home_as_ended() -> None:
    assert failed(make_session(0, outcome=Outcome.SENT_HOME)) == []


def test_from_failures_lists_a_few_and_counts_all() -> None:
    assertion = assertions.from_failures("all is well", ["a", "b", "c", "d"], passed="")

    assert assertion == ("all is well", False, "a; b; c … 4 in total")
