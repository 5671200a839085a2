"""What a rehearsal costs the stack that it runs against: CPU, SQL statements, Redis commands, memory.

Read from outside: process trees, Postgres' own counters, Redis' INFO. A stack that deploy/local did not start has no
supervisor to ask, and then there is no cost to tell.
"""

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import redis
from django.conf import settings
from django.db import DatabaseError, connection

from deploy.local.supervision import Remote
from dropsite.loadtest.bill import Bill
from dropsite.loadtest.processes import Meter

# What opens and ends a transaction, or sets up a connection: told apart from statements that do something.
FRAME = r"^\s*(begin|start|commit|rollback|savepoint|release|set|show|discard|deallocate)\M"
# Postgres' own, for deferred foreign keys, which nobody sent.
KEY_CHECK = r"^SELECT \S+ FROM ONLY .* FOR KEY SHARE OF x$"
OFTEN = 60


class Unknown(Exception):
    """The cost can't be told; the text says why in one sentence."""


Seen = dict[int, tuple[int, float, bool, str]]


@dataclass
class Tab:
    """Counts between `start` and `stop`. Raises: Unknown, from `start`, if there is nothing to count at."""

    meter: Meter = field(init=False)
    own: int = 0  # statements of ours, which are nobody's cost

    def start(self) -> Self:
        folder = os.environ.get("RUN_DIR", "")
        if sys.platform != "linux":
            raise Unknown("CPU and memory are read from /proc, which only Linux has.")
        self.meter = Meter(Remote(Path(folder)))
        if not folder or not self.meter.roots():
            raise Unknown("The stack was not started by deploy/local, so its processes are not known.")
        self._statements, self._commands, self._cpu = self._sql(), self._redis(), sum(os.times()[:2])
        self.meter.start()
        return self

    @contextlib.contextmanager
    def uncounted(self) -> Iterator[None]:
        """What is asked of the database inside is not billed."""

        def count(execute: Any, sql: str, params: Any, many: bool, context: Mapping[str, Any]) -> Any:
            self.own += 1
            return execute(sql, params, many, context)

        with connection.execute_wrapper(count):
            yield

    def stop(self) -> Bill:
        self.meter.stop()
        crowd = sum(os.times()[:2]) - self._cpu
        before, after = self._statements, self._sql()
        spent = []
        for key, (calls, milliseconds, frame, text) in after.items():
            earlier = before.get(key, (0, 0.0, frame, text))
            if calls > earlier[0]:
                spent.append((calls - earlier[0], milliseconds - earlier[1], frame, text))
        return Bill(
            cpu=self.meter.cpu(),
            crowd_cpu=crowd,
            memory=self.meter.memory,
            peak=self.meter.peak,
            statements=sum(calls for calls, _ms, frame, _text in spent if not frame) - self.own,
            frames=sum(calls for calls, _ms, frame, _text in spent if frame),
            commands={name: count - self._commands.get(name, 0) for name, count in self._redis().items()},
            often=sorted(((calls, ms, text) for calls, ms, frame, text in spent if not frame), reverse=True)[:OFTEN],
        )

    @staticmethod
    def _sql() -> Seen:
        """{statement's id: calls, milliseconds, whether it only frames others, text} of this database."""
        try:
            with connection.cursor() as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
                cursor.execute(
                    "SELECT queryid, sum(calls), sum(total_exec_time), bool_or(query ~* %s), min(query)"
                    " FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname ="
                    " current_database()) AND query !~ %s GROUP BY queryid",
                    [FRAME, KEY_CHECK],
                )
                return {key: (int(calls), ms, frame, text) for key, calls, ms, frame, text in cursor.fetchall()}
        except DatabaseError as error:
            raise Unknown(f"Postgres does not count statements: {str(error).splitlines()[0]}.") from error

    @staticmethod
    def _redis() -> dict[str, int]:
        """{server: commands since it started}."""
        found = {}
        for name, url in {"line": settings.LINE_REDIS_URL, "broker": settings.BROKER_URL}.items():
            with contextlib.suppress(redis.RedisError), redis.Redis.from_url(url, socket_timeout=5) as client:
                found[name] = int(client.info("stats")["total_commands_processed"])
        return found
