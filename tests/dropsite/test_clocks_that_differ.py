"""Machines whose clocks differ: tasks run all the same, and the skew is noticed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import libfaketime  # type: ignore[import-untyped]
import pytest
from celery import Task as CeleryTask
from django.conf import settings
from django.db.models import F
from django.test import Client
from redis import Redis

from deploy.local.runner.programs import ROOT
from drops import tasks as drop_tasks
from drops.models import Hold
from dropsite import beat
from dropsite.celery import app
from dropsite.task import INTERVAL_SECONDS, ClockDependentOption
from payments import tasks as payment_tasks
from shop import tasks as shop_tasks
from shop.core import clock_skew
from shop.core.models import Alert, ClockReading
from tests.factories import make_drop, make_hold
from tests.servers import until

SKEWS = [-86_400, 0, 10]  # seconds; 0 must still pass

StartWorker = Callable[..., Path]


@pytest.fixture
def start_worker(server_lane: None, transactional_db: None, tmp_path: Path) -> Iterator[StartWorker]:
    """`start_worker(10)`: a worker of the queue `background` whose clock is 10 s ahead; its log."""
    broker = Redis.from_url(os.environ["BROKER_URL"])
    broker.flushdb()
    started: list[subprocess.Popen[bytes]] = []

    def start(skew: float, *, application: str = "dropsite") -> Path:
        database = urlsplit(os.environ["DATABASE_URL"])._replace(
            path=f"/{settings.DATABASES['default']['NAME']}"
        )
        environment = os.environ | shifted(skew) | {"DATABASE_URL": database.geturl()}
        command = [sys.executable, "-m", "celery", "-q", "--skip-checks", "-A", application, "worker"]
        log = tmp_path / "worker.log"
        with log.open("wb") as output:
            options = ["-P", "prefork", "-c", "1", "-Q", "background", "-l", "INFO"]
            process = subprocess.Popen(
                [*command, *options], env=environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT
            )
        started.append(process)
        return log

    yield start
    for process in started:
        process.kill()  # its child ends with it
        process.wait(10)
    broker.flushdb()
    broker.close()


def shifted(skew: float) -> dict[str, str]:
    """Return the environment of a process whose clock differs. Durations stay as they are."""
    library = Path(libfaketime.__file__).parent / "vendor/libfaketime/src/libfaketime.so.1"
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{skew:+g}s", "DONT_FAKE_MONOTONIC": "1"}


def lapsed_hold() -> Hold:
    hold = make_hold(drop=make_drop(phase="live"))
    Hold.objects.filter(pk=hold.pk).update(expires_at=F("expires_at") - timedelta(hours=1))
    return hold


def is_released(hold: Hold) -> bool:
    return Hold.objects.get(pk=hold.pk).state == Hold.State.RELEASED


def send_by_beat(name: str) -> None:
    """Send one entry of beat's schedule, as beat does."""
    scheduler = beat.Scheduler(app, lazy=True)
    entry = scheduler.Entry(name=name, app=app, **app.conf.beat_schedule[name])
    with app.connection_for_write(os.environ["BROKER_URL"]) as connection:
        scheduler.apply_async(entry, producer=connection.Producer(), advance=False)


@pytest.mark.parametrize("skew", SKEWS)
def test_worker_runs_periodic_tasks_whatever_its_clock_says(start_worker: StartWorker, skew: float) -> None:
    hold = lapsed_hold()
    start_worker(skew)

    send_by_beat("expire due holds")

    until(lambda: is_released(hold), "the periodic task")
    until(ClockReading.objects.exists, "the reading of the worker's clock")
    assert ClockReading.objects.get().skew_seconds == pytest.approx(skew, abs=1)
    assert Alert.objects.open().filter(source="clocks").exists() == (skew != 0)


def test_worker_waits_as_long_as_the_countdown_says(start_worker: StartWorker) -> None:
    hold = lapsed_hold()
    log = start_worker(-600)
    until(lambda: b"ready" in log.read_bytes(), "the worker")
    sent = time.monotonic()

    with app.connection_for_write(os.environ["BROKER_URL"]) as broker:
        drop_tasks.expire_due_holds.apply_async(countdown=2, producer=broker.Producer())

    until(lambda: is_released(hold), "the task with a countdown")
    assert time.monotonic() - sent >= 2  # and long before the ten minutes by which the clocks differ


def test_careless_worker_discards_what_expires(start_worker: StartWorker) -> None:
    """The control: Celery's own `expires`, compared with a clock that is ahead."""
    hold = lapsed_hold()
    log = start_worker(10, application="tests.dropsite.careless")

    with app.connection_for_write(os.environ["BROKER_URL"]) as broker:
        CeleryTask.apply_async(drop_tasks.expire_due_holds, expires=5, producer=broker.Producer())

    until(lambda: b"Discarding revoked task" in log.read_bytes(), "the worker's refusal")
    assert not is_released(hold)


@pytest.mark.parametrize("option", ["expires", "eta"])
@pytest.mark.parametrize(
    "task",
    [
        drop_tasks.expire_due_holds,
        payment_tasks.confirm_order,
        payment_tasks.advance_order,
        payment_tasks.sweep_attempts,
        shop_tasks.send_due_emails,
    ],
)
def test_no_task_is_enqueued_with_an_option_that_compares_clocks(task: Any, option: str) -> None:
    with pytest.raises(ClockDependentOption):
        task.apply_async(**{option: datetime.now(UTC)})


def test_nothing_in_beats_schedule_compares_clocks() -> None:
    for entry in app.conf.beat_schedule.values():
        assert set(entry["options"]) == {"queue", "headers"}
        assert entry["options"]["headers"][INTERVAL_SECONDS] == entry["schedule"].run_every.total_seconds()
        assert entry["schedule"].nowfun is beat.uptime


def test_beats_clock_cannot_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that is set back by an hour, beat would send nothing for an hour."""
    schedule = app.conf.beat_schedule["expire due holds"]["schedule"]
    began = schedule.now()
    monkeypatch.setattr(app, "now", lambda: datetime(1970, 1, 1, tzinfo=UTC))

    due, wait = schedule.is_due(began)

    assert not due
    assert 0 < wait <= 5


class TestTicksThatPiledUp:
    """Periodic messages that waited for a worker: the first does the work of all."""

    @pytest.mark.parametrize(("waiting", "runs"), [(1, 1), (2, 1), (720, 1)])
    def test_run_once(self, monkeypatch: pytest.MonkeyPatch, waiting: int, runs: int) -> None:
        task, ran = counted_task(monkeypatch)

        for _ in range(waiting):
            run_as_beat_sent(task, interval=5)

        assert len(ran) == runs

    @pytest.mark.parametrize(("interval", "runs"), [(5, 1), (0, 3)])
    def test_run_again_after_half_the_interval(
        self, monkeypatch: pytest.MonkeyPatch, interval: float, runs: int
    ) -> None:
        task, ran = counted_task(monkeypatch)

        for _ in range(3):
            run_as_beat_sent(task, interval=interval)

        assert len(ran) == runs

    def test_leave_other_tasks_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        task, ran = counted_task(monkeypatch)

        for _ in range(3):
            task()

        assert len(ran) == 3


def counted_task(monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[int]]:
    """A task that counts its runs, in a process that has never run it."""
    task: Any = app.tasks["drops.expire_due_holds"]
    ran: list[int] = []
    monkeypatch.setattr(task, "run", lambda: ran.append(1))
    monkeypatch.setattr(task, "began_at", None)
    return task, ran


def run_as_beat_sent(task: Any, *, interval: float) -> None:
    task.push_request(headers={INTERVAL_SECONDS: interval})
    try:
        task()
    finally:
        task.pop_request()


@pytest.mark.django_db
class TestSkew:
    """The skew of a machine's clock: kept, shown, and alerted above a second."""

    @pytest.mark.parametrize(
        ("skew", "alerted", "text"),
        [
            (0.0, False, "right"),
            (0.9, False, "right"),
            (-1.0, False, "right"),
            (1.1, True, "1.1 s ahead of the database's"),
            (-1.1, True, "1.1 s behind the database's"),
            (8.0, True, "8.0 s ahead of the database's"),
            (-86_400.0, True, "86400.0 s behind the database's"),
        ],
    )
    def test_is_alerted_above_a_second(self, skew: float, alerted: bool, text: str) -> None:
        clock_skew.record(machine="worker-1", skew_seconds=skew)

        assert [reading.text for reading in clock_skew.recent()] == [text]
        assert [alert.subject for alert in Alert.objects.open()] == ["clock:worker-1"] * alerted

    def test_is_resolved_when_the_clock_is_right_again(self) -> None:
        clock_skew.record(machine="worker-1", skew_seconds=8)
        clock_skew.record(machine="worker-2", skew_seconds=8)
        clock_skew.record(machine="worker-1", skew_seconds=0)

        assert [alert.subject for alert in Alert.objects.open()] == ["clock:worker-2"]

    def test_is_measured_against_the_database(self) -> None:
        skew = clock_skew.measure(machine="this one")

        assert skew is not None
        assert abs(skew) < clock_skew.MAX_SKEW_SECONDS  # Postgres runs on this machine

    def test_is_shown_to_ops_and_monitoring(self, admin_client: Client, client: Client) -> None:
        clock_skew.record(machine="worker-1", skew_seconds=-8)

        page = admin_client.get("/admin/now/").content.decode()
        figures = client.get("/metrics/prometheus").content.decode()

        assert "clock of worker-1" in page
        assert "8.0 s behind" in page
        assert 'dropsite_clock_skew_seconds{machine="worker-1"} -8.0' in figures
