"""Connections that went bad, cut or read-only: they are replaced, with all of their age."""

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from celery.result import EagerResult
from django.contrib.auth.models import User
from django.db import (
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    connection,
)
from django.test import Client
from psycopg_pool import PoolTimeout
from pytest_django import Settings

from drops import tasks, tokens
from drops.models import Drop, Edition, Hold
from drops.scaling.control import watchdog
from dropsite.management.commands.crowd import Command as CrowdCommand
from dropsite.middleware.retry_reading import RetryReadingMiddleware
from shop.core import clock_skew, database, database_watch, redis_servers
from tests import databases
from tests.admin_clients import PLAIN
from tests.databases_gone_bad import cut, fill_pool, pool, read_only
from tests.drops.views.conftest import client
from tests.drops.views.shopping import choose, let_in
from tests.factories import make_drop, make_hold
from tests.servers import until
from tests.shop.core.test_alerts import receiver

__all__ = ["client", "receiver"]

PAGES = (
    "/",
    "/drops/{slug}/",
    "/archive/",
    "/api/v1/drops/",
    "/api/v1/drops/{slug}/",
    "/holds/{hold}/",
    "/admin/",
)
POOL_SIZE = 4  # as in production
SHOPPERS = 12


@pytest.fixture(autouse=True)
def own_pool(transactional_db: None, settings: Settings) -> Iterator[None]:
    """Connections of the test's own, which are gone before the database is emptied."""
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}
    databases.disconnect()
    options = connection.settings_dict["OPTIONS"]
    database.Replacement.at = None
    # Undone before the database is emptied, which opens the pool that the next tests use.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(options, "pool", options["pool"] | {"max_size": POOL_SIZE})
        yield
    databases.disconnect()


@pytest.fixture
def careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """The controls' shop, which replaces no connection but one that the driver itself calls closed."""
    monkeypatch.setattr(database, "replace_pooled", lambda _wrapper: None)
    monkeypatch.setattr(RetryReadingMiddleware, "process_exception", lambda *_: None)


def answer(client: Client, method: str, path: str) -> Any:
    """Send a request as a web thread answers it: with a connection of the pool, which it returns."""
    client.raise_request_exception = False
    try:
        return client.generic(method, path)
    finally:
        connection.close()


def hold(client: Client, edition: Edition, index: int) -> int:
    """Place a hold for a shopper, as a web thread does; return the answer's status."""
    client.raise_request_exception = False
    let_in(client, edition.drop, index=index)
    try:
        response = choose(client, edition.drop, **{f"quantity-{edition.pk}": "1"})
        if response.status_code == 503:
            assert int(response["Retry-After"]) > 0
        return int(response.status_code)
    finally:
        connection.close()


def many_holds(client: Client, edition: Edition, first: int = 0) -> list[int]:
    return [hold(client, edition, first + number) for number in range(SHOPPERS)]


def read(client: Client, drop: Drop, page: str, method: str = "GET") -> list[int]:
    """Read a page more often than there are connections; return the statuses."""
    held = make_hold(drop=drop, index=99)
    path = page.format(slug=drop.slug, hold=tokens.hold_token(held.uuid))
    client.force_login(User.objects.create_superuser("ops"))
    assert answer(client, method, path).status_code == 200
    connections = fill_pool()
    cut()
    return [answer(client, method, path).status_code for _ in range(2 * connections)]


class TestReading:
    """A reading request asks again on a new connection, so nobody notices."""

    @pytest.mark.parametrize("page", PAGES)
    def test_is_answered_after_a_cut(self, client: Client, page: str) -> None:
        assert set(read(client, make_drop(phase="live"), page)) == {200}

    def test_a_question_for_the_headers_is_answered_after_a_cut(self, client: Client) -> None:
        assert set(read(client, make_drop(phase="live"), "/drops/{slug}/", "HEAD")) == {200}

    def test_is_answered_while_the_database_is_read_only(self, client: Client) -> None:
        drop = make_drop(phase="live")
        fill_pool()
        with read_only():
            found = [answer(client, "GET", f"/drops/{drop.slug}/").status_code for _ in range(SHOPPERS)]

        assert set(found) == {200}

    def test_control_each_dead_connection_costs_a_request(self, client: Client, careless: None) -> None:
        found = read(client, make_drop(phase="live"), "/drops/{slug}/")

        assert found == POOL_SIZE * [503] + POOL_SIZE * [200]

    def test_is_tried_twice_at_most(self, client: Client) -> None:
        drop = make_drop(phase="live")
        tries = []

        def gone(*_: object) -> None:
            tries.append(1)
            raise OperationalError("server closed the connection unexpectedly")

        with connection.execute_wrapper(gone):
            response = answer(client, "GET", f"/drops/{drop.slug}/")

        assert (response.status_code, response["Retry-After"], len(tries)) == (503, "10", 2)

    def test_costs_no_statement_more_while_all_is_well(
        self, client: Client, django_assert_num_queries: Any
    ) -> None:
        """What one page asks for is all that it asks for: connections are not tested before their use."""
        with django_assert_num_queries(0):
            assert answer(client, "GET", "/how/").status_code == 200
        assert pool()._check is None


class TestWriting:
    """A writing request says that it can be repeated; the next ones have new connections."""

    def test_fails_once_after_a_cut(self, client: Client) -> None:
        edition = make_drop(phase="live", quantity=50).editions.get()
        fill_pool()
        cut()

        found = many_holds(client, edition)

        assert found == [503] + (SHOPPERS - 1) * [303]
        assert Hold.objects.count() == SHOPPERS - 1

    def test_fails_while_the_database_is_read_only_and_not_afterwards(self, client: Client) -> None:
        edition = make_drop(phase="live", quantity=100).editions.get()
        fill_pool()
        with read_only():
            fill_pool()
            assert set(many_holds(client, edition)) == {503}

        until(lambda: hold(client, edition, SHOPPERS) == 303, "a hold", seconds=20)
        assert set(many_holds(client, edition, 2 * SHOPPERS)) == {303}

    def test_control_read_only_connections_are_kept_for_ever(self, client: Client, careless: None) -> None:
        edition = make_drop(phase="live", quantity=100).editions.get()
        databases.disconnect()
        with read_only():
            fill_pool()

        assert many_holds(client, edition) == SHOPPERS * [503]

    def test_a_refused_statement_replaces_nothing(self, client: Client) -> None:
        fill_pool()
        before = {one.info.backend_pid for one in pool()._pool}
        with pytest.raises(IntegrityError):
            Hold.objects.create(drop_id=make_drop().pk, state="nonsense")
        connection.close()

        assert {one.info.backend_pid for one in pool()._pool} == before

    def test_a_busy_pool_replaces_nothing(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        drop = make_drop(phase="live")
        fill_pool()
        monkeypatch.setattr(pool(), "timeout", 0.1)
        taken = [pool().getconn() for _ in range(pool().max_size)]
        status = answer(client, "GET", f"/drops/{drop.slug}/").status_code
        for one in taken:
            pool().putconn(one)

        assert status == 503
        assert len(pool()._pool) == len(taken)


def test_a_connection_that_cannot_be_made_is_left_to_the_next_request() -> None:
    """The pool's own pauses between two tries would double for minutes."""
    connection.ensure_connection()

    assert pool().reconnect_timeout < pool().timeout


class TestReadiness:
    """Web is ready if it can write."""

    def test_follows_what_the_database_takes(self, client: Client) -> None:
        assert "database" not in answer(client, "GET", "/healthz/ready").json()["faults"]
        with read_only():
            response = answer(client, "GET", "/healthz/ready")
            assert response.status_code == 503
            assert response.json()["faults"]["database"] == "The database takes no writes (InternalError)."

        until(
            lambda: "database" not in answer(client, "GET", "/healthz/ready").json()["faults"],
            "readiness",
            seconds=20,
        )


class TestAlert:
    """Ops hear of it although no alert can be stored."""

    def test_is_sent_once_in_each_outage(
        self, settings: Settings, receiver: Any, mailoutbox: list[Any]
    ) -> None:
        settings.OPS_MAIL = "ops@shop.example"
        watch = database_watch.Watch()
        assert watch.check()
        for count in (1, 2):
            databases.disconnect()
            with read_only():
                assert [watch.check() for _ in range(4)] == [False] * 4
                assert (len(mailoutbox), len(receiver.got)) == (count, count)
            until(watch.check, "writes", seconds=20)

        assert mailoutbox[0].to == ["ops@shop.example"]
        assert mailoutbox[0].body.startswith("The database takes no writes (InternalError). Nothing is sold")
        said = json.loads(receiver.got[0][1])
        assert (said["type"], said["about"], said["words"] + "\n") == (
            "database.alert",
            "database",
            mailoutbox[0].body,
        )

    def test_a_cut_or_a_short_outage_needs_nobody(self, settings: Settings, mailoutbox: list[Any]) -> None:
        settings.OPS_MAIL = "ops@shop.example"
        watch = database_watch.Watch()
        fill_pool()
        cut()
        assert watch.check()
        databases.disconnect()
        with read_only():
            assert not watch.check()
        # A new watch at each look: this one looks many times a second, and would count each as an outage's.
        until(lambda: database_watch.Watch().check(), "writes", seconds=20)

        assert watch.check()
        assert mailoutbox == []

    def test_what_can_not_be_sent_is_logged_and_stops_nothing(
        self, settings: Settings, caplog: pytest.LogCaptureFixture
    ) -> None:
        settings.OPS_MAIL = "ops@shop.example"
        settings.OPS_WEBHOOK_URL, settings.OPS_WEBHOOK_SECRET = "http://127.0.0.1:9/", "secret"
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_PORT = 1
        database_watch.send_at_once(message="Why.")

        assert [record.getMessage() for record in caplog.records] == [
            "The alert about the database can't be sent by email",
            "The alert about the database can't be posted",
        ]


class TestWorkers:
    """Tasks, the gatekeeper's watchdog and commands work again without a restart, too."""

    def run_task(self) -> EagerResult[Any]:
        return tasks.expire_due_holds.apply()

    def test_a_task_works_again(self) -> None:
        drop = make_drop(phase="live")
        make_hold(drop=drop)
        Hold.objects.update(expires_at="2020-01-01T00:00Z")
        with read_only():
            fill_pool()
            assert self.run_task().failed()

        until(lambda: self.run_task().successful(), "the task", seconds=20)
        assert Hold.objects.get().state == Hold.State.RELEASED

    def test_one_item_of_a_batch_fails_and_the_next_has_a_new_connection(self) -> None:
        fill_pool()
        cut()
        found = []
        for _ in range(3):
            try:
                found.append(Drop.objects.count())
            except OperationalError:
                found.append(-1)

        assert found == [-1, 0, 0]

    def test_the_watchdog_and_the_clock_wait_for_the_next_check(self) -> None:
        servers = redis_servers.Watch()
        clock_skew.last.at = None
        with read_only():
            watchdog.check(servers)
            assert clock_skew.last.at is None

        def works() -> bool:
            watchdog.check(servers)
            return clock_skew.last.at is not None

        until(works, "the watchdog", seconds=20)

    def test_a_waiting_command_goes_on(self) -> None:
        drop = make_drop(phase="lobby")
        fill_pool()
        cut()
        command = CrowdCommand()

        assert command._front_page() is None
        page = command._front_page()
        assert page is not None
        assert page.drop == drop


class Sqlstate(psycopg.Error):
    """An error of the driver with a code of the server's."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.sqlstate = code


@pytest.mark.parametrize(
    ("error", "cause", "broken"),
    [
        (InternalError, Sqlstate("25006"), True),
        (OperationalError, Sqlstate("57P01"), True),  # the server shuts down
        (OperationalError, Sqlstate("57P02"), True),  # it crashed
        (OperationalError, Sqlstate("57P03"), True),  # it is starting
        (OperationalError, Sqlstate("57P05"), True),  # the session was idle for too long
        (InternalError, Sqlstate("25P03"), True),  # so was the transaction
        (OperationalError, Sqlstate("08006"), True),
        (OperationalError, psycopg.OperationalError("server closed the connection unexpectedly"), True),
        (InterfaceError, psycopg.InterfaceError("connection already closed"), True),
        (OperationalError, PoolTimeout("couldn't get a connection after 5.00 sec"), False),
        (OperationalError, Sqlstate("57014"), False),  # the statement was cancelled
        (OperationalError, Sqlstate("55P03"), False),  # a lock wasn't to be had
        (OperationalError, Sqlstate("40001"), False),
        (OperationalError, Sqlstate("40P01"), False),
        (OperationalError, Sqlstate("53100"), False),  # the disk is full: another connection has the same
        (InternalError, Sqlstate("25P02"), False),  # the transaction has failed before
        (IntegrityError, Sqlstate("23505"), False),
        (DataError, Sqlstate("22003"), False),
        (Error, psycopg.ProgrammingError("no results to fetch"), False),
        (ValueError, None, False),
    ],
)
def test_a_broken_connection_is_told_from_a_statement_that_fails(
    error: type[Exception], cause: BaseException | None, broken: bool
) -> None:
    raised = error("…")
    raised.__cause__ = cause

    assert database.is_broken(raised) is broken
