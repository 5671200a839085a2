"""Celery's pools, on real workers."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery as App
from celery import current_app
from redis import Redis

from deploy.local.runner.ports import free_port
from drops.scaling.providers.base import ApplyRefused, BadLocator, OutcomeUnclear
from drops.scaling.providers.local import celery as module
from drops.scaling.providers.local import celery_commands
from drops.scaling.providers.local.celery import Celery
from tests.drops.scaling.providers.local import fleets
from tests.servers import until

ONE, THREE = {"processes": 1}, {"processes": 3}
QUEUE = f"pool-{os.getpid()}"


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A worker of this module; its folder."""
    folder = tmp_path_factory.mktemp("worker")
    with fleets.celery(folder, QUEUE):
        yield folder


@pytest.fixture
def pool(worker: Path) -> Iterator[Celery]:
    """Its pool, at one process."""
    kind = Celery(locator={"worker": f"{QUEUE}@%h"})
    yield kind
    until(lambda: is_down(kind), "the pool at its baseline")


def is_down(kind: Celery) -> bool:
    """Ask for one process, as often as it takes: some may be busy or starting."""
    kind.apply(ONE, key="k")
    return kind.is_ready(kind.read(), ONE)


def test_read_tells_the_size_and_the_processes(pool: Celery) -> None:
    reading = pool.read()

    assert (reading.state, reading.size, reading.serving, reading.moving) == (ONE, 1, 1, False)
    assert reading.message == "1 processes run"
    assert reading.cpu_seconds is None or reading.cpu_seconds > 0


def test_ask_grows_and_shrinks_to_a_size(pool: Celery) -> None:
    grown = pool.apply(THREE, key="k").message
    until(lambda: pool.is_ready(pool.read(), THREE), "three processes")
    shrunk = pool.apply(ONE, key="k").message
    until(lambda: pool.is_ready(pool.read(), ONE), "one process")

    assert (grown, shrunk) == ("1 → 3 processes", "3 → 1 processes")


def test_ask_again_changes_nothing(pool: Celery) -> None:
    said = [pool.apply(THREE, key="k").message for _ in range(3)]

    assert said == ["1 → 3 processes", "3 → 3 processes", "3 → 3 processes"]
    assert pool.read().size == 3


def test_pool_that_was_only_asked_to_grow_is_not_ready(pool: Celery) -> None:
    pool.apply(THREE, key="k")
    reading = pool.read()
    until(lambda: pool.is_ready(pool.read(), THREE), "three processes")

    assert (reading.size, pool.is_ready(reading, THREE)) == (3, reading.serving == 3)


def test_ask_to_shrink_again_before_it_is_done_ends_no_more_than_that(pool: Celery) -> None:
    pool.apply(THREE, key="k")
    until(lambda: pool.is_ready(pool.read(), THREE), "three processes")
    for size in (2, 1):
        pool.apply({"processes": size}, key="k")  # the first that was told to go may still be on its way
    until(lambda: not pool.read().moving, "as many processes as there are to be")

    assert pool.read().size in {1, 2}


def test_busy_processes_are_let_finish(pool: Celery, worker: Path) -> None:
    pool.apply(THREE, key="k")
    until(lambda: pool.is_ready(pool.read(), THREE), "three processes")
    go, begun = worker / "go", [worker / f"begun-{number}" for number in (1, 2)]
    for path in begun:
        current_app.send_task("tests.stay_busy", args=[str(path), str(go)], queue=QUEUE)
    until(lambda: all(path.exists() for path in begun), "two busy processes")
    said = pool.apply(ONE, key="k").message
    between = pool.read().state
    until(lambda: not pool.read().moving, "the idle process to go")
    busy = pool.apply(ONE, key="k").message
    go.touch()
    until(lambda: is_down(pool), "one process")

    assert said == "3 → 2 processes; the others are busy or starting, and go later"
    assert busy == "2 → 2 processes; the others are busy or starting, and go later"
    assert pool.is_between(between, before=THREE, after=ONE)
    assert not pool.is_between({"processes": 4}, before=THREE, after=ONE)
    assert "ERROR" not in (worker / "log").read_text()


def test_processes_that_start_are_not_told_to_go_before_they_can_hear_it(pool: Celery, worker: Path) -> None:
    slow = worker / "slow"
    slow.touch()
    pool.apply(THREE, key="k")
    young, told = pool.read(), pool.apply(ONE, key="k").message
    slow.unlink()
    until(lambda: is_down(pool), "one process")

    assert (young.size, young.serving, young.moving) == (3, 1, True)
    assert told == "3 → 3 processes; the others are busy or starting, and go later"


def test_reading_leaves_nothing_at_the_broker(pool: Celery) -> None:
    with Redis.from_url(os.environ["BROKER_URL"]) as broker:
        pool.read()
        before = sorted(broker.keys()), sum(map(broker.scard, broker.keys("_kombu.binding.*")))
        for _ in range(5):
            pool.read()
        after = sorted(broker.keys()), sum(map(broker.scard, broker.keys("_kombu.binding.*")))

    assert after == before


def test_process_on_its_way_out_is_not_chosen_again() -> None:
    """Of a pool of three, 11 was told to go, and 14 starts: as many are up as there are to be."""
    young = SimpleNamespace(_waiting_to_start=[SimpleNamespace(pid=14)])
    info = {"processes": [11, 12, 13, 14]}
    pool = SimpleNamespace(num_processes=3, info=info, maintain_pool=lambda: None, _pool=young)
    worker = SimpleNamespace(consumer=SimpleNamespace(pool=pool, controller=SimpleNamespace(autoscaler=None)))

    told = celery_commands.resize(worker, size=1)  # its pool can't shrink: asked to, it would fail

    assert told == {"ok": {"size": 3, "processes": [11, 12, 13], "pid": os.getpid(), "before": 3}}


# --- faults --------------------------------------------------------------------------------------------------------


def test_worker_that_is_not_there_is_unknown(worker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.2)

    with pytest.raises(OutcomeUnclear, match=r"^No worker nobody@here answered in .* s\. Look whether it runs"):
        Celery(locator={"worker": "nobody@here"}).read()


def test_broker_that_is_away_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    away = App(broker=f"redis://127.0.0.1:{free_port()}/0", set_as_current=False)
    monkeypatch.setattr(module, "current_app", away)

    with pytest.raises(OutcomeUnclear, match=r"^The broker can't be reached \(\w+\)\. Look at BROKER_URL\.$"):
        Celery(locator={"worker": "nobody@here"}).read()


def test_pool_of_threads_is_refused(tmp_path: Path) -> None:
    said = r"^The worker threads-.* refused: its pool .* has no processes"
    with (
        fleets.celery(tmp_path, f"threads-{os.getpid()}", pool="threads") as node,
        pytest.raises(ApplyRefused, match=said),
    ):
        Celery(locator={"worker": node}).read()


def test_pool_under_autoscale_is_refused(tmp_path: Path) -> None:
    said, words = "not supported with autoscale", ["--autoscale", "4,1"]
    with fleets.celery(tmp_path, f"auto-{os.getpid()}", words=words) as node, pytest.raises(ApplyRefused, match=said):
        Celery(locator={"worker": node}).apply(THREE, key="k")


@pytest.mark.parametrize(
    ("told", "kind", "said"),
    [
        ({"error": "KeyError('scaling_pool')"}, ApplyRefused, "start it again with this version"),
        ({"error": "ValueError('x')"}, ApplyRefused, r"refused: ValueError\('x'\)\."),
        ({"ok": "pong"}, OutcomeUnclear, "answered something else"),
        ({"ok": {"size": 1}}, OutcomeUnclear, "answered something else"),
        ({}, OutcomeUnclear, "answered something else"),
    ],
)
def test_answers_that_are_none_are_told(told: dict[str, Any], kind: Any, said: str) -> None:
    with pytest.raises(kind, match=said):
        module._answer("checkout@here", told)


# --- where ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [{}, {"worker": ""}, {"worker": "checkout"}, {"worker": "@x"}, {"worker": "a b@c"}])
def test_check_refuses_what_is_no_worker(given: dict[str, Any]) -> None:
    with pytest.raises(BadLocator, match="Name the worker as -n does"):
        Celery.check(given)


def test_resource_is_the_same_however_the_machine_is_named() -> None:
    names = ["checkout@%h", f"checkout@{socket.gethostname()}"]
    for name in names:
        Celery.check({"worker": name})

    assert {Celery.resource({"worker": name}) for name in names} == {f"celery:checkout@{socket.gethostname()}"}


def test_state_for_keeps_one_process() -> None:
    assert [Celery().state_for(size, baseline=THREE) for size in (0, 2)] == [ONE, {"processes": 2}]
