"""Connections that went bad: recognised at the statement that fails, and discarded with all of their age.

After a failover, a pooled connection is cut, or still leads to the old server, which has become read-only.
That one answers every question, and only a write shows it. The others in the pool are no better.
"""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import Error, InterfaceError, OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg_pool import PoolTimeout

READ_ONLY = "25006"
# Connection exceptions, sessions that the server ended or can't begin, and a server that is read-only.
BROKEN = ("08", "57P0", "25P03", READ_ONLY)
# A server that answers, and refuses writes for a while, isn't burdened with new connections at each of them.
REPLACE_SECONDS = 1.0

Execute = Callable[..., Any]
Result = TypeVar("Result")


class Replacement:
    """When this process last had its pool replace all connections, as a monotonic time."""

    at: float | None = None


def is_broken(error: BaseException | None) -> bool:
    """Whether an error says that the connection is at fault, not the statement."""
    if not isinstance(error, Error) or isinstance(error.__cause__, PoolTimeout):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    if state is None:
        # The driver's own words: the server is gone, or the connection was closed before.
        return isinstance(error, OperationalError | InterfaceError)
    return str(state).startswith(BROKEN)


def is_unavailable(error: BaseException | None) -> bool:
    """Whether an error says that the database can't do this now; it may a moment later."""
    return isinstance(error, OperationalError) or is_broken(error)


def try_twice(call: Callable[[], Result]) -> Result:
    """Return what the call returns; if its connection was broken, call once more, on a new one."""
    try:
        return call()
    except Error as error:
        if not is_broken(error):
            raise
    return call()


def discard_connections() -> None:
    """Close this thread's connection, and have the pool replace all that are as old."""
    replace_pooled(connection)
    if not connection.in_atomic_block:  # the end of the block closes it
        connection.close()


def replace_pooled(wrapper: Any) -> None:
    """Replace the pool's connections; those in use follow when they are returned."""
    pool, current = getattr(wrapper, "pool", None), wrapper.connection
    if pool is None or pool.closed or current is None:
        return
    now = time.monotonic()
    is_recent = Replacement.at is not None and now - Replacement.at < REPLACE_SECONDS
    if current.closed or not is_recent:
        Replacement.at = now
        pool.drain()


def watch_statements(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    """Watch the statements of a connection that has just been made."""
    if discard_on_failure not in connection.execute_wrappers:
        connection.execute_wrappers.append(discard_on_failure)


def discard_on_failure(execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Run a statement. If it shows that its connection is broken, discard that and all of its age.

    Outside a transaction, the next statement of this thread has a new connection: one item of a batch fails.
    """
    try:
        return execute(sql, params, many, context)
    except Error as error:
        if is_broken(error):
            discard_connections()
        raise
