"""The page's rules and Python's are the same: when to look again, how long it may take."""

import itertools
from typing import Any

import pytest

from drops.waitingroom.protocol import status
from tests.journeys.conftest import Visit

NOW = 1_000_000.0
DOCUMENT: dict[str, Any] = {
    "poll": status.POLL,
    "cursor": 100,
    "entered": 25,
    "pace": 4.0,
    "editions": [{"free": 100, "held": 20}],
    "lobby_opens": NOW + 300,
    "opens": NOW + 20,
}
ASK = """async ({cases, now, module}) => {
  const rules = await import(module);
  return cases.map(({document, place, jitter}) => [
    rules.pollDelay({
      status: document, phase: document.phase, times: {lobby: document.lobby_opens, opens: document.opens},
      place, now, hidden: false, failures: 0, jitter,
    }),
    place === null ? null : rules.likelyWait(place, document),
  ]);
}"""


@pytest.mark.parametrize("pace", [None, 0.0, 0.3, 4.0])
def test_page_and_program_look_again_at_the_same_time(shop: str, visit: Visit, pace: float | None) -> None:
    phases = ["announced", "lobby", "opening", "live", "paused"]
    cases: list[dict[str, Any]] = [
        {
            "document": DOCUMENT
            | {"phase": phase, "pace": pace, "poll": status.POLL | {"pace": pace or 0.0}},
            "place": place,
            "jitter": jitter,
        }
        for phase, place, jitter in itertools.product(
            phases, [None, 0, 99, 100, 101, 499, 500, 501, 90_000], [0.0, 0.5, 0.99]
        )
    ]
    page = visit("phone")
    page.goto(f"{shop}/how/")

    found = page.evaluate(ASK, {"cases": cases, "now": NOW, "module": f"{shop}/static/shop/js/rules.js"})

    for case, (pause, wait) in zip(cases, found, strict=True):
        document, place = case["document"], case["place"]
        assert pause == pytest.approx(status.poll_seconds(document, place, NOW, case["jitter"])), case
        expected = None if place is None else status.expected_wait(document, place)
        assert wait == (None if expected is None else pytest.approx(list(expected))), case


@pytest.mark.parametrize(
    ("case", "seconds"),
    [
        ({"place": 100_000, "hidden": True}, 60),
        ({"place": 120, "hidden": True}, 15),
        ({"place": None, "hidden": True}, 60),
        ({"place": 120, "failures": 1}, 2),
        ({"place": 120, "failures": 3}, 8),
        ({"place": 120, "failures": 99}, 30),
    ],
)
def test_page_looks_less_often_in_a_hidden_tab_and_after_failures(
    shop: str, visit: Visit, case: dict[str, Any], seconds: int
) -> None:
    page = visit("phone")
    page.goto(f"{shop}/how/")
    asked = {
        "status": DOCUMENT | {"poll": status.POLL | {"pace": 4.0}},
        "phase": "live",
        "times": {"lobby": 0, "opens": 0},
        "now": NOW,
        "jitter": 0.5,
    }

    pause = page.evaluate(
        "async ([asked, module]) => (await import(module)).pollDelay(asked)",
        [{"hidden": False, "failures": 0} | asked | case, f"{shop}/static/shop/js/rules.js"],
    )

    assert pause == seconds
