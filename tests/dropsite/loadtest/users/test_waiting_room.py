from random import Random
from typing import Any

import pytest

from dropsite.loadtest.users import waiting_room

NOW = 1_764_000_000.0
POLL = {"least": 2, "most": 30, "share": 20, "pace": 2.0}


def make_status(**fields: Any) -> waiting_room.StatusDocument:
    document = {
        "v": 1, "epoch": 1, "tick": 5, "now": NOW, "slug": "x", "phase": "live", "drop": "0" * 32,
        "lobby_opens": NOW - 30, "opens": NOW - 5, "closes": None, "sealed": 100, "commitment": "", "secret": "00" * 32,
        "cursor": 10, "joined": 100, "poll": POLL,
        "editions": [{"sku": "S", "band": "in", "free": 3, "held": 0}], "sentence": "",
    }  # fmt: skip
    return waiting_room.parse(document | fields)


def poll_pause(place: int | None, **fields: Any) -> float:
    return waiting_room.poll_pause(status=make_status(**fields), place=place, now=NOW, rng=Random(1))


@pytest.mark.parametrize(
    ("place", "least", "most"),
    [
        (12, 1.6, 2.4),  # a second to go: the minimum
        (509, 8.0, 12.0),  # 250 s to go, 200 s if admission speeds up: a twentieth of that
        (5010, 24.0, 36.0),  # 2,500 s to go: the maximum
    ],
)
def test_poll_pause_is_a_share_of_the_wait(place: int, least: float, most: float) -> None:
    assert least <= poll_pause(place) <= most


def test_poll_pause_is_long_while_nobody_is_admitted() -> None:
    assert 24 <= poll_pause(50, poll=POLL | {"pace": 0.0}) <= 36
    assert 24 <= poll_pause(None, poll=POLL | {"pace": 0.0}) <= 36


def test_poll_pause_is_shorter_for_those_who_are_next() -> None:
    assert 8.8 <= poll_pause(20, poll=POLL | {"pace": 0.0}) <= 13.2


def test_poll_pause_is_shortest_at_the_shoppers_turn() -> None:
    assert 1.6 <= poll_pause(3, poll=POLL | {"pace": 0.0}) <= 2.4


def test_poll_pause_ends_just_after_the_opening() -> None:
    assert 20 <= poll_pause(None, phase="lobby", opens=NOW + 20) <= 23


def test_poll_pause_is_bounded_when_the_opening_is_far_away() -> None:
    assert poll_pause(None, phase="lobby", opens=NOW + 900) == 30


def test_poll_pause_ends_just_after_the_lobby_opens() -> None:
    assert 8 <= poll_pause(None, phase="announced", lobby_opens=NOW + 8, opens=NOW + 900) <= 11


def test_poll_pause_is_short_when_the_document_is_stale() -> None:
    assert 2 <= poll_pause(5000, now=NOW - 16) <= 3


def test_parse_refuses_another_version() -> None:
    with pytest.raises(ValueError, match="version 2"):
        make_status(v=2)


def test_place_of_is_unknown_until_the_secret_is_published() -> None:
    assert make_status(secret=None).place_of(3) is None


def test_place_of_a_late_ticket_is_its_index() -> None:
    assert make_status().place_of(103) == 103


@pytest.mark.parametrize(
    ("bands", "expected"), [(["held", "gone"], True), (["held", "low"], False), ([], False)]
)
def test_nothing_free_needs_every_edition_to_be_unavailable(bands: list[str], expected: bool) -> None:
    editions = [{"sku": str(number), "band": band} for number, band in enumerate(bands)]

    assert make_status(editions=editions).nothing_free is expected
