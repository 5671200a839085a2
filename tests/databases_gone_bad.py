"""A database that goes bad, on purpose: sessions that are cut, and a server that refuses writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import sql

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def pool() -> Any:
    """Return this process's pool."""
    return cast("DatabaseWrapper", connection).pool


@contextmanager
def outside() -> Iterator[psycopg.Connection]:
    """A session of an operator on the test's database, beside the pool, which may always write."""
    parameters = connection.get_connection_params()
    names = ("dbname", "user", "password", "host", "port")
    chosen: dict[str, Any] = {name: parameters[name] for name in names if name in parameters}
    with psycopg.connect(
        **chosen, autocommit=True, options="-c default_transaction_read_only=off"
    ) as operator:
        yield operator


def cut() -> None:
    """End every other session on the test's database, as a server does that shuts down."""
    with outside() as operator:
        operator.execute(CUT)


def set_read_only(*, on: bool) -> None:
    """Let sessions that begin from now on refuse writes, or take them. Those that exist stay as they are."""
    text = "ALTER DATABASE {} RESET default_transaction_read_only"
    if on:
        text = "ALTER DATABASE {} SET default_transaction_read_only = on"
    with outside() as operator:
        operator.execute(sql.SQL(text).format(sql.Identifier(operator.info.dbname)))


@contextmanager
def read_only() -> Iterator[None]:
    """A failover, as a pool sees it: sessions are cut, and those that begin in the block refuse writes."""
    set_read_only(on=True)
    cut()
    try:
        yield
    finally:
        set_read_only(on=False)


def fill_pool() -> int:
    """Open as many connections as the pool may have, and leave them idle in it. Return their number."""
    connection.ensure_connection()
    connection.close()
    taken = [pool().getconn() for _ in range(pool().max_size)]
    for one in taken:
        pool().putconn(one)
    return len(taken)
