"""Assertions about a crowd's sessions, judged from the pages alone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dropsite.loadtest.users.sessions import Outcome, Session

MAX_EXAMPLES = 3
JOIN_ROUTE = "POST /line/…/join "


class Assertion(NamedTuple):
    """A statement that should be true (its name), whether it is, and what was seen."""

    name: str
    ok: bool
    detail: str


def from_failures(name: str, failures: Iterable[str], *, passed: str) -> Assertion:
    """Return an assertion that is true if there are no failures; `passed` is its detail then."""
    found = list(failures)
    if not found:
        return Assertion(name, True, passed)
    detail = "; ".join(found[:MAX_EXAMPLES])
    if len(found) > MAX_EXAMPLES:
        detail += f" … {len(found)} in total"
    return Assertion(name, False, detail)


def check_sessions(sessions: Sequence[Session]) -> list[Assertion]:
    """Return every assertion about the sessions."""
    return [
        *critical(sessions),
        _same_index_on_rejoining(sessions),
        _no_unexpected_page(sessions),
        _every_session_ended(sessions),
    ]


def critical(sessions: Sequence[Session]) -> list[Assertion]:
    """Return the assertions whose failure ends a rehearsal: everything after it would be a consequence."""
    return [_no_index_twice(sessions), _no_piece_twice(sessions)]


def no_join_refused(routes: Mapping[str, int]) -> Assertion:
    """Return the assertion that every join got a ticket or the time. `routes` counts responses."""
    joins = {
        route.removeprefix(JOIN_ROUTE): count
        for route, count in routes.items()
        if route.startswith(JOIN_ROUTE)
    }
    refused = [
        f"{count} × {status}" for status, count in joins.items() if status not in {"200", "409", "410"}
    ]
    return from_failures("no join is refused", refused, passed=f"{joins.get('200', 0)} joins")


def _no_index_twice(sessions: Sequence[Session]) -> Assertion:
    counts = Counter(session.index for session in sessions if session.index is not None)
    failures = [f"{count} shoppers got index {index}" for index, count in counts.items() if count > 1]
    return from_failures(
        "no index is given twice", failures, passed=f"{counts.total()} shoppers, {len(counts)} indices"
    )


def _no_piece_twice(sessions: Sequence[Session]) -> Assertion:
    counts = Counter(piece for session in sessions for piece in session.pieces)
    failures = [f"{count} shoppers were shown {piece}" for piece, count in counts.items() if count > 1]
    return from_failures(
        "no piece is sold to two shoppers", failures, passed=f"{len(counts)} pieces shown on order pages"
    )


def _same_index_on_rejoining(sessions: Sequence[Session]) -> Assertion:
    rejoined = [session for session in sessions if len(session.indices) > 1]
    failures = [
        f"shopper {session.behaviour.number} got {session.indices}"
        for session in rejoined
        if len(set(session.indices)) > 1
    ]
    passed = f"{len(rejoined)} joined again"
    return from_failures("joining again returns the same index", failures, passed=passed)


def _no_unexpected_page(sessions: Sequence[Session]) -> Assertion:
    failures = [
        f"shopper {session.behaviour.number}, {problem}"
        for session in sessions
        for problem in session.problems
    ]
    passed = "every response was one that shoppers may expect"
    return from_failures("no page was unexpected", failures, passed=passed)


def _every_session_ended(sessions: Sequence[Session]) -> Assertion:
    failures = [
        f"shopper {session.behaviour.number}: {session.step}"
        for session in sessions
        if session.outcome is Outcome.OUT_OF_TIME
    ]
    return from_failures("every session ended in time", failures, passed=f"{len(sessions)} sessions")
