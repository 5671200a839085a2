from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drops.waitingroom.protocol import status
from tests.drops.waitingroom.protocol.servers import NOW, document

CHANCES = st.floats(0, 1)


def test_decode_reads_what_encode_wrote() -> None:
    doc = document(sentence="Größe M is gone.")

    assert status.decode(status.encode(doc).encode()) == doc


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"v":2}', b"\xff"])
def test_decode_refuses_anything_but_this_version(text: bytes) -> None:
    with pytest.raises(status.UnreadableStatus):
        status.decode(text)


@pytest.mark.parametrize(("age", "known"), [(0, True), (15, True), (15.1, False)])
def test_a_document_is_fresh_for_15_seconds(age: float, known: bool) -> None:
    assert status.is_fresh(document(), NOW + age) is known


PLENTY = [{"sku": "S", "band": "in", "free": 1000, "held": 300}]


@pytest.mark.parametrize(
    ("place", "pace", "expected"),
    [
        (9, 2.0, (0.0, 0.0)),
        (10, 2.0, (0.4, 0.75)),
        (1009, 2.0, (400.0, 750.0)),
        (1009, 0.0, None),
        (1009, None, None),
    ],
)
def test_expected_wait_is_a_range_around_the_pace(place: int, pace: float | None, expected: Any) -> None:
    doc = document(phase="live", cursor=10, entered=10, pace=pace, editions=PLENTY)

    assert status.expected_wait(doc, place) == expected


@pytest.mark.parametrize(
    ("called", "entered", "last"),  # `last`: the last place ahead of which pieces are left
    [(100, 100, 1099), (100, 50, 2099), (1100, 100, 12099), (100, 120, 1099), (0, 0, 999)],
)
def test_expected_wait_ends_where_shoppers_who_come_may_have_taken_all(
    called: int, entered: int, last: int
) -> None:
    doc = document(phase="live", cursor=called, entered=entered, pace=1.0, editions=PLENTY)

    assert status.expected_wait(doc, last) is not None
    assert status.expected_wait(doc, last + 1) is None


def test_an_older_release_s_document_can_be_read() -> None:
    doc = document(phase="live", cursor=10, poll={"least": 2, "most": 30, "share": 20}, editions=PLENTY)
    del doc["pace"], doc["entered"]

    assert status.expected_wait(doc, 50) is None
    assert status.poll_seconds(doc, 50, NOW, 0.5) == 30.0
    assert not status.is_standing_still(doc)


@given(st.integers(-100, 600), CHANCES)
def test_poll_seconds_bring_the_lobby_back_within_3_s_of_the_opening(left: int, chance: float) -> None:
    after = status.poll_seconds(document(opens=NOW + left), None, NOW, chance)

    assert after <= 30
    assert after == 30 or max(0, left) + 1 <= after <= max(0, left) + 3


@pytest.mark.parametrize(
    ("place", "pace", "expected"),
    [
        (99, 0.8, 5.0),  # the shorter wait is 100 s; ÷ 20
        (10, 1.0, 2.0),
        (100_000, 1.0, 30.0),
        (100, 0.0, 30.0),
        (10, 0.0, 11.0),  # nobody is let in: what comes back goes to those in front
        (0, 0.0, 2.0),
        (None, 0.0, 30.0),
        (None, 1.0, 30.0),
    ],
)
def test_poll_seconds_follow_the_wait_within_bounds(place: int | None, pace: float, expected: Any) -> None:
    doc = document(phase="live", poll=status.POLL | {"pace": pace})

    assert status.poll_seconds(doc, place, NOW, 0.5) == expected


@given(st.integers(0, 10**7), st.floats(0, 1000), CHANCES)
def test_poll_seconds_are_never_few_and_never_endless(place: int | None, pace: float, chance: float) -> None:
    doc = document(phase="live", poll=status.POLL | {"pace": pace})
    after = status.poll_seconds(doc, place, NOW, chance)

    assert 1.6 <= after < 36.1


def test_poll_seconds_are_few_while_places_are_drawn() -> None:
    assert status.poll_seconds(document(phase="opening"), None, NOW, 0.5) == 2.5


@pytest.mark.parametrize(("phase", "left"), [("lobby", 601), ("announced", 541)])
def test_poll_seconds_are_many_long_before_the_opening(phase: str, left: int) -> None:
    doc = document(phase=phase, opens=NOW + left, lobby_opens=NOW + left + 60)

    assert status.poll_seconds(doc, None, NOW, 0.5) == 300
