"""The faults of `make faults`: what they do to a stack, and how their findings are judged."""

import math
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psutil
import psycopg
import pytest
from redis import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from deploy.local.faults import criteria, kinds
from deploy.local.faults.kinds import FAULTS, Fault
from deploy.local.faults.sales import Sales
from deploy.local.faults.visitor import Answer, Visitor
from deploy.local.runner.programs import DATA_SERVERS, ROOT
from deploy.local.runner.stack import Stack, remove
from tests.servers import until

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def servers(server_lane: None) -> Iterator[Stack]:
    folder = ROOT / "var" / f"test-{os.getpid()}-faults"
    settings = {"mail-catcher": {"FAKETIME": "+10s", "DONT_FAKE_MONOTONIC": "1"}}
    programs = [*DATA_SERVERS, "mail-catcher"]
    with Stack(folder=folder, programs=programs, program_settings=settings) as stack:
        yield stack
    remove(folder)


def test_stopped_program_answers_again_afterwards(servers: Stack) -> None:
    address = servers.environment["BROKER_URL"]
    impatient = Redis.from_url(address, socket_timeout=0.3, retry=None)
    with impatient as client, kinds.stopped("broker-redis", servers), pytest.raises(RedisTimeoutError):
        client.ping()
    with Redis.from_url(address) as client:
        assert client.ping()


def test_stopping_postgres_stops_its_sessions_too(servers: Stack) -> None:
    server = psutil.Process(servers.pid("postgres"))

    def states() -> set[str]:
        return {server.status(), session.status()}

    with psycopg.connect(servers.environment["DATABASE_URL"], autocommit=True) as connection:
        session = psutil.Process(connection.info.backend_pid)
        with kinds.stopped("postgres", servers):
            until(lambda: states() == {psutil.STATUS_STOPPED}, "the server and its session stopped")
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_read_only_cuts_sessions_and_those_of_meanwhile_stay_read_only(servers: Stack) -> None:
    address = servers.environment["DATABASE_URL"]
    earlier = psycopg.connect(address, autocommit=True)
    with kinds.read_only(servers):
        with pytest.raises(psycopg.errors.AdminShutdown):
            earlier.execute("SELECT 1")
        meanwhile = psycopg.connect(address, autocommit=True)
    earlier.close()

    with meanwhile, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        meanwhile.execute("CREATE TABLE refused (n int)")
    with psycopg.connect(address, autocommit=True) as later:
        later.execute("CREATE TEMPORARY TABLE accepted (n int)")


def test_variables_of_one_program_reach_it_alone(servers: Stack) -> None:
    assert psutil.Process(servers.pid("mail-catcher")).environ()["FAKETIME"] == "+10s"
    supervisor = psutil.Process(servers.pid("mail-catcher")).parent()
    assert supervisor is not None
    assert "FAKETIME" not in supervisor.environ()


@pytest.mark.parametrize("key", [fault.key for fault in FAULTS if fault.clock])
def test_only_the_clocks_of_workers_differ(key: str) -> None:
    clock = next(fault.clock for fault in FAULTS if fault.key == key)

    assert set(clock) == set(kinds.WORKERS)


@pytest.mark.parametrize(
    ("resumed", "limit", "ok"),
    [(0, None, True), (60, None, True), (None, None, False), (5, 5, True), (5.1, 5, False), (None, 5, False)],
)
def test_sales_must_resume(resumed: float | None, limit: float | None, ok: bool) -> None:
    holds = [NOON - timedelta(seconds=30)]
    if resumed is not None:
        holds.append(NOON + timedelta(seconds=resumed))
    fault = Fault(key="x", name="x", seconds=20, resumes_within=limit)

    found = criteria.judge_sales(fault, Sales(holds, []), NOON - timedelta(seconds=20), NOON)

    assert [criterion.ok for criterion in found] == [ok]


@pytest.mark.parametrize(("held_meanwhile", "ok"), [(0, False), (1, True)])
def test_holds_must_go_on_where_the_fault_may_not_keep_them_away(held_meanwhile: int, ok: bool) -> None:
    holds = [NOON - timedelta(seconds=10)] * held_meanwhile + [NOON]
    fault = Fault(key="x", name="x", seconds=20, keeps_holding=True)

    found = criteria.judge_sales(fault, Sales(holds, []), NOON - timedelta(seconds=20), NOON)

    assert [criterion.ok for criterion in found] == [True, ok]


@pytest.mark.parametrize(
    ("slow", "status", "ok"),
    [(0.01, 200, True), (0.3, 200, True), (0.32, 200, False), (0.01, 503, False), (math.inf, 0, False)],
)
def test_two_slow_answers_in_a_hundred_are_too_many(slow: float, status: int, ok: bool) -> None:
    visitor = Visitor(origin="http://127.0.0.1:9", paths={"drop page": "/"})
    quick = [Answer(asked, 0.01, 200) for asked in range(98)]
    visitor.answers["drop page"] = [Answer(-1, 0.01, 200), *quick, *[Answer(99, slow, status)] * 2]
    fault = Fault(key="x", name="x", seconds=20, keeps_answering=True)

    found = criteria.judge_answers(fault, visitor, 0, 100)

    assert [criterion.ok for criterion in found] == [ok]


@pytest.mark.parametrize(("asked", "ok"), [(9.9, False), (10, True), (19, True)])
def test_a_status_may_be_missing_once_it_could_be_too_old(asked: float, ok: bool) -> None:
    visitor = Visitor(origin="http://127.0.0.1:9", paths={"status": "/"})
    visitor.answers["status"] = [Answer(-1, 0.01, 200), Answer(1, 0.01, 200), Answer(asked, 0.01, 503)]
    fault = Fault(key="x", name="x", seconds=20, keeps_answering=True)

    found = criteria.judge_answers(fault, visitor, 0, 20)

    assert [criterion.ok for criterion in found] == [ok]
