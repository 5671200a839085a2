"""Measure what a rehearsal costs the stack it runs against: CPU, SQL statements, Redis commands, memory.

Everything is read from outside: process trees, Postgres' own counters, Redis' INFO. A stack that deploy/local
did not start has no supervisor to ask for its processes, so its cost can't be measured.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from deploy.local.runner.supervisord import SupervisorClient
from dropsite.loadtest.cost.figures import Cost, FrequentStatement
from dropsite.loadtest.cost.processes import ProcessSampler

# What begins or ends a transaction or sets up a connection is counted apart from other statements.
TRANSACTION_PATTERN = r"^\s*(begin|start|commit|rollback|savepoint|release|set|show|discard|deallocate)\M"
# Postgres sends these itself, for deferred foreign keys.
KEY_CHECK_PATTERN = r"^SELECT \S+ FROM ONLY .* FOR KEY SHARE OF x$"
MAX_FREQUENT = 60
REDIS_TIMEOUT_SECONDS = 5


class CostUnavailable(Exception):
    """The cost can't be measured; the message says why in one sentence."""


class StatementCount(NamedTuple):
    """A row of pg_stat_statements."""

    calls: int
    milliseconds: float
    is_transaction: bool
    sql: str


class CostMeasurement:
    """Counts for as long as its block lasts. Afterwards there is a `cost`, or `unavailable` says why not."""

    def __init__(self) -> None:
        self.cost: Cost | None = None
        self.unavailable = ""
        self.own_statements = 0  # sent by the load test itself, which the shop doesn't pay for
        run_dir = os.environ.get("RUN_DIR", "")
        self._sampler = None
        if run_dir:
            self._sampler = ProcessSampler(SupervisorClient(Path(run_dir)))
        self._statements_before: dict[int, StatementCount] = {}
        self._commands_before: dict[str, int] = {}
        self._crowd_cpu_before = 0.0

    def __enter__(self) -> Self:
        try:
            self._start()
        except CostUnavailable as error:
            self.unavailable = str(error)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_error: object) -> None:
        if self.unavailable or kind is not None:
            return
        try:
            self.cost = self._stop()
        except CostUnavailable as error:
            self.unavailable = str(error)

    def _start(self) -> None:
        """Raises: CostUnavailable."""
        if sys.platform != "linux":
            raise CostUnavailable("CPU and memory are read from /proc, which only Linux has.")
        if self._sampler is None or not self._sampler.program_pids():
            raise CostUnavailable("The stack was not started by deploy/local, so its processes are unknown.")
        self._statements_before = _count_statements()
        self._commands_before = _count_redis_commands()
        self._crowd_cpu_before = _own_cpu_seconds()
        self._sampler.start()

    @contextlib.contextmanager
    def uncounted(self) -> Iterator[None]:
        """Leave this process's database queries inside the block out of the cost."""

        def count(execute: Any, sql: str, params: Any, many: bool, context: Mapping[str, Any]) -> Any:
            self.own_statements += 1
            return execute(sql, params, many, context)

        with connection.execute_wrapper(count):
            yield

    def _stop(self) -> Cost:
        """Return what was used since the beginning. Raises: CostUnavailable."""
        if self._sampler is None:
            raise CostUnavailable("Nothing was measured.")
        self._sampler.stop()
        crowd_cpu = _own_cpu_seconds() - self._crowd_cpu_before
        executed = _difference(self._statements_before, _count_statements())
        productive = sorted((count for count in executed if not count.is_transaction), reverse=True)
        commands = {
            server: count - self._commands_before.get(server, 0)
            for server, count in _count_redis_commands().items()
        }
        return Cost(
            cpu_seconds=self._sampler.cpu_seconds(),
            crowd_cpu_seconds=crowd_cpu,
            memory_mib=self._sampler.memory_mib,
            peak_mib=self._sampler.peak_mib,
            statements=sum(count.calls for count in productive) - self.own_statements,
            transaction_statements=sum(count.calls for count in executed if count.is_transaction),
            redis_commands=commands,
            frequent=[
                FrequentStatement(count.calls, count.milliseconds, count.sql)
                for count in productive[:MAX_FREQUENT]
            ],
        )


def _own_cpu_seconds() -> float:
    user, system, *_others = os.times()
    return user + system


def _difference(before: dict[int, StatementCount], after: dict[int, StatementCount]) -> list[StatementCount]:
    """Return what was executed between two counts."""
    executed = []
    for query_id, count in after.items():
        calls, milliseconds = count.calls, count.milliseconds
        if query_id in before:
            calls -= before[query_id].calls
            milliseconds -= before[query_id].milliseconds
        if calls > 0:
            executed.append(count._replace(calls=calls, milliseconds=milliseconds))
    return executed


def _count_statements() -> dict[int, StatementCount]:
    """Return {statement id: count} of this database. Raises: CostUnavailable."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            cursor.execute(
                "SELECT queryid, sum(calls), sum(total_exec_time), bool_or(query ~* %s), min(query)"
                " FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname ="
                " current_database()) AND query !~ %s GROUP BY queryid",
                [TRANSACTION_PATTERN, KEY_CHECK_PATTERN],
            )
            return {
                query_id: StatementCount(int(calls), milliseconds, is_transaction, sql)
                for query_id, calls, milliseconds, is_transaction, sql in cursor.fetchall()
            }
    except DatabaseError as error:
        reason = str(error).splitlines()[0]
        raise CostUnavailable(f"Postgres does not count statements: {reason}.") from error


def _count_redis_commands() -> dict[str, int]:
    """Return {server: commands since it started}; a server that doesn't answer is left out."""
    counts = {}
    for server, url in {"line": settings.LINE_REDIS_URL, "broker": settings.BROKER_URL}.items():
        with (
            contextlib.suppress(redis.RedisError),
            redis.Redis.from_url(url, socket_timeout=REDIS_TIMEOUT_SECONDS) as client,
        ):
            counts[server] = int(client.info("stats")["total_commands_processed"])
    return counts
