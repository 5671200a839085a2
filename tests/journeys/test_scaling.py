"""Pre-scaling on the running shop: this machine's own fleets and pool grow before a lobby and shrink after the drop."""

import re
from collections.abc import Iterator

import psutil
import pytest

from deploy.local.stack import Running
from tests.conftest import Manage
from tests.journeys.conftest import announced, read, read_json
from tests.servers import until

SECONDS = 90  # a plan, a lead time, a drop, and the way back
FLEETS = ("gate", "web", "checkout")


@pytest.fixture
def prepared(manage: Manage) -> Iterator[str]:
    """A drop that a crowd is expected at; whoever comes next finds everything at its baseline."""
    yield announced(manage, opens_in=34, lobby_before=4, closes_after=4, expected=150)
    until(lambda: "No step is under way" in manage("scale", "status"), "the baseline again", seconds=SECONDS)


def processes(stack: Running) -> dict[str, int]:
    """How many processes do the work of each, as `ps` counts them."""
    return {name: len(psutil.Process(stack.pid(name)).children()) for name in FLEETS}


def said(stack: Running, text: str) -> bool:
    return any(line.endswith(text) for line in stack.log.read_text(errors="replace").splitlines())


def planned(manage: Manage, slug: str) -> dict[str, int]:
    """The sizes that the drop's plan says; what earlier drops used has its part in them."""
    told = manage("scale", "plan", "--drop", slug)
    return {name: int(size) for name, size in re.findall(r"^(\w+) (?:fleet|pool) +\d+ +(\d+) ", told, re.MULTILINE)}


def test_fleets_grow_before_the_lobby_and_shrink_after_the_drop(
    stack: Running, manage: Manage, shop: str, prepared: str
) -> None:
    baseline, grown = processes(stack), planned(manage, prepared)
    until(lambda: processes(stack) == grown, "the fleets at their planned size", seconds=SECONDS)
    phase = read_json(f"{shop}/api/v1/drops/{prepared}/")["phase"]
    until(lambda: said(stack, f"{prepared}: checkout pool ready → holding"), "holding", seconds=SECONDS)
    held, status = processes(stack), manage("scale", "status")
    until(lambda: processes(stack) == baseline, "the baseline", seconds=SECONDS)

    assert baseline == {"gate": 1, "web": 1, "checkout": 1}
    assert all(grown[name] > baseline[name] for name in FLEETS)
    assert phase == "announced"
    assert held == grown
    assert status.count(" holding ") == 3
    assert f"{prepared}: go" in status
    assert said(stack, f"| 1 → {grown['web']} workers")
    assert said(stack, f"| {grown['web']} → 1 workers")


def test_figures_for_autoscalers_stay_behind_the_edge(stack: Running, shop: str, live_drop: str) -> None:
    near = read_json(f"http://127.0.0.1:{stack.environment['PORT_WEB']}/metrics/scaling.json")

    assert set(near["fleets"]) == {"gate", "web", "hooks"}
    assert all(fleet["serving"] >= 1 for fleet in near["fleets"].values())
    assert set(near["targets"]) == {"gate fleet", "web fleet", "checkout pool"}
    assert read(f"{shop}/metrics/scaling.json").status == 404
