"""Pre-scaling on the running shop: this machine's fleets and pool grow before a lobby, and shrink later."""

import re
from collections.abc import Iterator

import psutil
import pytest

from deploy.local.runner.stack import RunningStack
from tests.journeys.conftest import announced, read, read_json
from tests.journeys.inside import Inside
from tests.servers import until

SECONDS = 90  # a plan, a lead time, a drop, and the way back
FLEETS = ("gate", "web", "checkout")


@pytest.fixture
def prepared(inside: Inside) -> Iterator[str]:
    """A drop at which a crowd is expected. Afterwards, every target is at its baseline again."""
    yield announced(inside, opens_in=34, lobby_before=4, closes_after=4, expected=150)
    until(
        lambda: "No steps are under way" in inside.manage("scale", "status"),
        "the baseline again",
        seconds=SECONDS,
    )


def processes(stack: RunningStack) -> dict[str, int]:
    """The number of each fleet's processes, as `ps` counts them."""
    return {name: len(psutil.Process(stack.pid(name)).children()) for name in FLEETS}


def has_logged(stack: RunningStack, text: str) -> bool:
    return any(line.endswith(text) for line in stack.log.read_text(errors="replace").splitlines())


def at_planned_size(stack: RunningStack, inside: Inside, slug: str, *states: str) -> dict[str, int] | None:
    """The sizes of the drop's steps, once all are in one of these states and the processes are there."""
    text = inside.manage("scale", "status", "--drop", slug)
    rows = re.findall(rf"^{slug} +(\w+) (?:fleet|pool) +(\d+) +(\w+) ", text, re.MULTILINE)
    wanted = {name: int(size) for name, size, _state in rows}
    return wanted if {row[2] for row in rows} <= {*states} and processes(stack) == wanted else None


@pytest.mark.long
def test_fleets_grow_before_the_lobby_and_shrink_after_the_drop(
    stack: RunningStack, inside: Inside, shop: str, prepared: str
) -> None:
    baseline = processes(stack)
    grown = until(
        lambda: at_planned_size(stack, inside, prepared, "ready", "holding"), "all there", seconds=SECONDS
    )
    phase = read_json(f"{shop}/api/v1/drops/{prepared}/")["phase"]
    held = until(lambda: at_planned_size(stack, inside, prepared, "holding"), "all held", seconds=SECONDS)
    status = inside.manage("scale", "status", "--drop", prepared)
    until(lambda: processes(stack) == baseline, "the baseline", seconds=SECONDS)

    assert grown
    assert held
    assert baseline == {"gate": 1, "web": 1, "checkout": 1}
    assert all(grown[name] > baseline[name] for name in FLEETS)
    assert phase == "announced"
    assert all(held[name] >= grown[name] for name in FLEETS)
    assert f"{prepared}: go" in status
    assert has_logged(stack, f"→ {grown['web']} workers")  # in two steps, if a measured drop raised the plan
    assert has_logged(stack, f"| {held['web']} → 1 workers")


def test_metrics_for_autoscalers_stay_behind_the_edge(stack: RunningStack, shop: str, live_drop: str) -> None:
    near = read_json(f"http://127.0.0.1:{stack.environment['PORT_WEB']}/metrics/scaling.json")

    assert set(near["fleets"]) == {"gate", "web", "hooks"}
    assert all(fleet["serving"] >= 1 for fleet in near["fleets"].values())
    assert set(near["targets"]) == {"gate fleet", "web fleet", "checkout pool"}
    assert read(f"{shop}/metrics/scaling.json").status == 404
