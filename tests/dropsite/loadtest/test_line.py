from random import Random
from typing import Any

import pytest

from dropsite.loadtest import line

NOW = 1_764_000_000.0


def status(**fields: Any) -> line.Status:
    document = {
        "v": 1, "epoch": 1, "tick": 5, "now": NOW, "slug": "x", "phase": "live", "drop": "0" * 32,
        "lobby_opens": NOW - 30, "opens": NOW - 5, "closes": None, "sealed": 100, "commitment": "", "secret": "00" * 32,
        "cursor": 10, "joined": 100, "rate": 2.0, "poll": {"least": 2, "most": 30, "share": 20},
        "editions": [{"sku": "S", "band": "in", "free": 3, "held": 0}], "sentence": "",
    }  # fmt: skip
    return line.read(document | fields)


def pause(place: int | None, **fields: Any) -> float:
    return line.pause(status=status(**fields), place=place, now=NOW, dice=Random(1))


@pytest.mark.parametrize(
    ("place", "least", "most"),
    [
        (12, 1.6, 2.4),  # a second to go: the least
        (509, 8.0, 12.0),  # 250 s to go, 200 s if it speeds up: a twentieth of that
        (5010, 24.0, 36.0),  # 2,500 s to go: the most
    ],
)
def test_asks_again_after_a_share_of_the_wait(place, least, most):
    assert least <= pause(place) <= most


def test_asks_seldom_while_nobody_is_let_in():
    assert 24 <= pause(50, rate=0.0) <= 36
    assert 24 <= pause(None, rate=0.0) <= 36


def test_who_is_next_asks_sooner():
    assert 8.8 <= pause(20, rate=0.0) <= 13.2


def test_asks_often_when_it_is_ones_turn():
    assert 1.6 <= pause(3, rate=0.0) <= 2.4


def test_asks_once_the_drop_opens():
    assert 20 <= pause(None, phase="lobby", opens=NOW + 20) <= 23


def test_looks_in_now_and_then_when_the_opening_is_far():
    assert pause(None, phase="lobby", opens=NOW + 900) == 30


def test_waits_for_the_lobby_before_it_opens():
    assert 8 <= pause(None, phase="announced", lobby_opens=NOW + 8, opens=NOW + 900) <= 11


def test_asks_soon_when_the_document_is_old():
    assert 2 <= pause(5000, now=NOW - 16) <= 3


def test_another_version_is_refused():
    with pytest.raises(ValueError, match="version 2"):
        status(v=2)


def test_place_stays_unknown_until_the_secret_is_out():
    assert status(secret=None).place(3) is None


def test_place_of_who_came_late_is_the_index():
    assert status().place(103) == 103


@pytest.mark.parametrize(("bands", "nothing"), [(["held", "gone"], True), (["held", "low"], False), ([], False)])
def test_nothing_is_free_when_no_edition_is(bands, nothing):
    editions = [{"sku": str(number), "band": band} for number, band in enumerate(bands)]

    assert status(editions=editions).nothing_free is nothing
