from typing import Any

from dropsite.loadtest import plans, verdicts
from dropsite.loadtest.stories import End, Story

PLANS = plans.draw(shoppers=5, seed=1)


def story(number: int, **fields: Any) -> Story:
    return Story(PLANS[number], **({"end": End.SOLD_OUT, "indices": [number]} | fields))


def failed(*stories: Story) -> list[str]:
    return [verdict.name for verdict in verdicts.judge(stories) if not verdict.ok]


def test_a_good_crowd_passes():
    assert failed(story(0, indices=[0, 0]), story(1, end=End.PLACED, pieces=["S No. 1"]), story(2, indices=[])) == []


def test_sees_an_index_given_twice():
    assert failed(story(0), story(1, indices=[0])) == ["no index is given twice"]


def test_sees_another_index_after_joining_again():
    assert failed(story(0, indices=[0, 3])) == ["who joins again gets the same index"]


def test_sees_a_piece_sold_twice():
    assert failed(story(0, pieces=["S No. 1"]), story(1, pieces=["S No. 1"])) == ["no piece is sold to two shoppers"]


def test_sees_a_page_that_was_wrong():
    assert failed(story(0, faults=["paying: Pay answered 500"])) == ["no page was wrong"]


def test_sees_a_visit_without_end():
    assert failed(story(0, end=End.OUT_OF_TIME, step="paying")) == ["every visit came to its end"]


def test_what_is_given_twice_ends_a_rehearsal():
    twice = [story(0, pieces=["S No. 1"]), story(1, pieces=["S No. 1"])]

    assert [verdict.ok for verdict in verdicts.grave(twice)] == [True, False]


def test_who_is_sent_home_is_no_visit_without_end():
    assert failed(story(0, end=End.SENT_HOME)) == []


def test_names_a_few_and_counts_the_rest():
    verdict = verdicts.verdict("all is well", ["a", "b", "c", "d"], "")

    assert verdict == ("all is well", False, "a; b; c … 4 in all")
