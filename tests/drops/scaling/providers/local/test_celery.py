"""Celery's pools, on real workers."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery as App
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


@pytest.fixture(autouse=True)
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """An app of this test's own: the shop's may keep connections to another test's broker in memory."""
    own = App(broker=os.environ["BROKER_URL"], set_as_current=False)
    monkeypatch.setattr(module, "current_app", own)
    monkeypatch.setattr(module, "RESPONSE_SECONDS", 30.0)  # a busy machine's worker may be late
    yield own
    own.close()


@pytest.fixture
def pool(worker: Path) -> Iterator[Celery]:
    """Its pool, at one process."""
    provider = Celery(locator={"worker": f"{QUEUE}@%h"})
    yield provider
    until(lambda: is_down(provider), "the pool at its baseline")


def is_down(provider: Celery) -> bool:
    """Apply one process; return whether it is ready. Some may be busy or starting, so this is repeated."""
    provider.apply(ONE, key="k")
    return provider.is_ready(provider.read(), ONE)


def test_read_returns_the_size_and_the_processes(pool: Celery) -> None:
    reading = pool.read()

    assert (reading.state, reading.size, reading.serving, reading.moving) == (ONE, 1, 1, False)
    assert reading.message == "1 of 1 processes are running"
    assert reading.cpu_seconds is None or reading.cpu_seconds > 0


def test_apply_grows_and_shrinks_to_a_size(pool: Celery) -> None:
    grown = pool.apply(THREE, key="k").message
    until(lambda: pool.is_ready(pool.read(), THREE), "three processes")
    shrunk = pool.apply(ONE, key="k").message
    until(lambda: pool.is_ready(pool.read(), ONE), "one process")

    assert (grown, shrunk) == ("1 → 3 processes", "3 → 1 processes")


def test_repeated_apply_changes_nothing(pool: Celery) -> None:
    messages = [pool.apply(THREE, key="k").message for _ in range(3)]

    assert messages == ["1 → 3 processes", "3 → 3 processes", "3 → 3 processes"]
    assert pool.read().size == 3


def test_pool_that_is_still_growing_is_not_ready(pool: Celery) -> None:
    pool.apply(THREE, key="k")
    reading = pool.read()
    until(lambda: pool.is_ready(pool.read(), THREE), "three processes")

    assert (reading.size, pool.is_ready(reading, THREE)) == (3, reading.serving == 3)


def test_shrinking_again_before_it_is_done_stops_no_more_than_that(pool: Celery) -> None:
    pool.apply(THREE, key="k")
    until(lambda: pool.is_ready(pool.read(), THREE), "three processes")
    for size in (2, 1):
        pool.apply({"processes": size}, key="k")  # the first process may still be stopping
    until(lambda: not pool.read().moving, "as many processes as there are to be")

    assert pool.read().size in {1, 2}


def test_busy_processes_may_finish(app: App, pool: Celery, worker: Path) -> None:
    pool.apply(THREE, key="k")
    until(lambda: pool.is_ready(pool.read(), THREE), "three processes")
    go, begun = worker / "go", [worker / f"begun-{number}" for number in (1, 2)]
    for path in begun:
        app.send_task("tests.stay_busy", args=[str(path), str(go)], queue=QUEUE)
    until(lambda: all(path.exists() for path in begun), "two busy processes")
    message = pool.apply(ONE, key="k").message
    between = pool.read().state
    until(lambda: not pool.read().moving, "the idle process to go")
    busy = pool.apply(ONE, key="k").message
    go.touch()
    until(lambda: is_down(pool), "one process")

    assert message == "3 → 2 processes; the others are busy or starting, and will stop later"
    assert busy == "2 → 2 processes; the others are busy or starting, and will stop later"
    assert pool.is_between(between, before=THREE, after=ONE)
    assert not pool.is_between({"processes": 4}, before=THREE, after=ONE)
    assert "ERROR" not in (worker / "log").read_text()


def test_starting_processes_are_not_stopped_before_they_are_up(pool: Celery, worker: Path) -> None:
    slow = worker / "slow"
    slow.touch()
    try:
        pool.apply(THREE, key="k")
        reading, message = pool.read(), pool.apply(ONE, key="k").message
    finally:
        slow.unlink()
    until(lambda: is_down(pool), "one process")

    assert (reading.size, reading.serving, reading.moving) == (3, 1, True)
    assert message == "3 → 3 processes; the others are busy or starting, and will stop later"


def test_reading_leaves_nothing_at_the_broker(pool: Celery) -> None:
    with Redis.from_url(os.environ["BROKER_URL"]) as broker:
        pool.read()
        before = sorted(broker.keys()), sum(map(broker.scard, broker.keys("_kombu.binding.*")))
        for _ in range(5):
            pool.read()
        after = sorted(broker.keys()), sum(map(broker.scard, broker.keys("_kombu.binding.*")))

    assert after == before


def test_process_that_is_stopping_is_not_chosen_again() -> None:
    """Of a pool of three, 11 is stopping and 14 is starting, so that as many are up as desired."""
    young = SimpleNamespace(_waiting_to_start=[SimpleNamespace(pid=14)])
    info = {"processes": [11, 12, 13, 14]}
    pool = SimpleNamespace(num_processes=3, info=info, maintain_pool=lambda: None, _pool=young)
    worker = SimpleNamespace(consumer=SimpleNamespace(pool=pool, controller=SimpleNamespace(autoscaler=None)))

    result = celery_commands.resize(worker, size=1)  # its pool can't shrink: an attempt would fail

    assert result == {"ok": {"size": 3, "processes": [11, 12, 13], "pid": os.getpid(), "before": 3}}


# --- faults -------------------------------------------------------------------------------------------------


def test_worker_that_does_not_run_is_unclear(worker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESPONSE_SECONDS", 0.2)

    with pytest.raises(
        OutcomeUnclear, match=r"^No worker nobody@here responded within .* seconds\. Check that it is running"
    ):
        Celery(locator={"worker": "nobody@here"}).read()


def test_unreachable_broker_is_unclear(monkeypatch: pytest.MonkeyPatch) -> None:
    away = App(broker=f"redis://127.0.0.1:{free_port()}/0", set_as_current=False)
    monkeypatch.setattr(module, "current_app", away)

    with pytest.raises(OutcomeUnclear, match=r"^The broker can't be reached \(\w+\)\. Check BROKER_URL\.$"):
        Celery(locator={"worker": "nobody@here"}).read()


def test_pool_of_threads_is_refused(tmp_path: Path) -> None:
    sentence = r"^The worker threads-.* refused: its pool .* has no processes"
    with (
        fleets.celery(tmp_path, f"threads-{os.getpid()}", pool="threads") as node,
        pytest.raises(ApplyRefused, match=sentence),
    ):
        Celery(locator={"worker": node}).read()


def test_pool_under_autoscale_is_refused(tmp_path: Path) -> None:
    sentence, options = "not supported with autoscale", ["--autoscale", "4,1"]
    with (
        fleets.celery(tmp_path, f"auto-{os.getpid()}", options=options) as node,
        pytest.raises(ApplyRefused, match=sentence),
    ):
        Celery(locator={"worker": node}).apply(THREE, key="k")


@pytest.mark.parametrize(
    ("response", "error", "sentence"),
    [
        ({"error": "KeyError('scaling_pool')"}, ApplyRefused, "restart it with this version"),
        ({"error": "ValueError('x')"}, ApplyRefused, r"refused: ValueError\('x'\)\."),
        ({"ok": "pong"}, OutcomeUnclear, "can't be read"),
        ({"ok": {"size": 1}}, OutcomeUnclear, "can't be read"),
        ({}, OutcomeUnclear, "can't be read"),
    ],
)
def test_a_response_that_is_no_report_is_an_error(
    response: dict[str, Any], error: Any, sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        module._parse("checkout@here", response)


# --- locator ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "locator", [{}, {"worker": ""}, {"worker": "checkout"}, {"worker": "@x"}, {"worker": "a b@c"}]
)
def test_check_refuses_an_invalid_worker(locator: dict[str, Any]) -> None:
    with pytest.raises(BadLocator, match="Enter the worker's name as given by -n"):
        Celery.check(locator)


def test_resource_is_the_same_for_every_name_of_the_machine() -> None:
    names = ["checkout@%h", f"checkout@{socket.gethostname()}"]
    for name in names:
        Celery.check({"worker": name})

    assert {Celery.resource({"worker": name}) for name in names} == {
        f"celery:checkout@{socket.gethostname()}"
    }


def test_state_for_keeps_one_process() -> None:
    assert [Celery().state_for(size, baseline=THREE) for size in (0, 2)] == [ONE, {"processes": 2}]
