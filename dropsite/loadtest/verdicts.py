"""What a crowd can judge by itself, without a look behind the pages."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from dropsite.loadtest.stories import End, Story

EXAMPLES = 3


class Verdict(NamedTuple):
    """One check: what should hold, whether it does, and what was seen."""

    name: str
    ok: bool
    detail: str


def judge(stories: Sequence[Story]) -> list[Verdict]:
    """The crowd's own view."""
    return [*grave(stories), _repeats(stories), _faults(stories), _ends(stories)]


def grave(stories: Sequence[Story]) -> list[Verdict]:
    """What ends a rehearsal at once: whatever else is seen after that follows from it."""
    return [_indices(stories), _pieces(stories)]


def verdict(name: str, wrong: Iterable[str], otherwise: str) -> Verdict:
    """A check that holds if nothing is wrong."""
    found = list(wrong)
    if not found:
        return Verdict(name, True, otherwise)
    more = f" … {len(found)} in all" if len(found) > EXAMPLES else ""
    return Verdict(name, False, "; ".join(found[:EXAMPLES]) + more)


def _indices(stories: Sequence[Story]) -> Verdict:
    given = Counter(story.index for story in stories if story.index is not None)
    twice = [f"index {index} went to {count} shoppers" for index, count in given.items() if count > 1]
    return verdict("no index is given twice", twice, f"{len(given)} shoppers, {len(given)} indices")


def _repeats(stories: Sequence[Story]) -> Verdict:
    asked = [story for story in stories if len(story.indices) > 1]
    other = [f"shopper {story.plan.number} got {story.indices}" for story in asked if len(set(story.indices)) > 1]
    return verdict("who joins again gets the same index", other, f"{len(asked)} joined again")


def _pieces(stories: Sequence[Story]) -> Verdict:
    sold = Counter(piece for story in stories for piece in story.pieces)
    twice = [f"{piece} was shown to {count} shoppers" for piece, count in sold.items() if count > 1]
    return verdict("no piece is sold to two shoppers", twice, f"{len(sold)} pieces shown as theirs")


def _faults(stories: Sequence[Story]) -> Verdict:
    met = [f"shopper {story.plan.number}, {fault}" for story in stories for fault in story.faults]
    return verdict("no page was wrong", met, "every answer was one that a page can say")


def _ends(stories: Sequence[Story]) -> Verdict:
    late = [f"shopper {story.plan.number}: {story.step}" for story in stories if story.end is End.OUT_OF_TIME]
    return verdict("every visit came to its end", late, f"{len(stories)} visits")
