from ipaddress import IPv4Address

import pytest

from dropsite.loadtest.crowd import BRISK_PACE, ONE_ADDRESS, Crowd
from dropsite.loadtest.users import addresses, behaviour
from dropsite.loadtest.users.payment_client import CardFrame
from dropsite.loadtest.users.sessions import Outcome, Session


def test_progress_counts_steps_and_outcomes_the_largest_first() -> None:
    behaviours = behaviour.draw(shoppers=4, seed=1)
    sessions = [Session(behaviours[0], step="paying"), Session(behaviours[1], outcome=Outcome.PLACED)]
    sessions += [Session(intentions, step="in line") for intentions in behaviours[2:]]
    crowd = Crowd(
        origin="http://127.0.0.1:9",
        slug="x",
        card_frame=CardFrame("http://127.0.0.1:9", "pk_test"),
        shoppers=4,
        seed=1,
        pace=BRISK_PACE,
        seconds=1,
        sessions=sessions,
    )

    assert crowd.progress(12.3) == "   12 s  in line 2 · has an order 1 · paying 1"


@pytest.mark.parametrize(
    ("origin", "first", "lines"),
    [
        ("http://127.0.0.1:9", "127.1.0.1", []),
        ("http://127.0.0.1:9", "192.0.2.1", [ONE_ADDRESS]),
        ("https://staging.shop.example", "192.0.2.1", []),
    ],
)
def test_a_crowd_says_when_it_comes_from_one_address(
    origin: str, first: str, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "FIRST", int(IPv4Address(first)))  # no system has 192.0.2.1
    said: list[str] = []

    Crowd(
        origin=origin,
        slug="x",
        card_frame=CardFrame("http://127.0.0.1:9", "pk_test"),
        shoppers=0,
        seed=1,
        pace=BRISK_PACE,
        seconds=1,
        log=said.append,
    ).run()

    assert said == lines
