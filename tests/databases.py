"""Databases of a test process's own, so that several test processes can run side by side.

The first process of a run migrates a template; each process copies it, which takes a tenth of a second. Redis
databases are numbered by process. What a test commits is truncated after it.
"""

import os
from functools import cache
from typing import cast
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.db import connection
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg import sql

MIGRATING = 8_203_145  # the number of an advisory lock: one process migrates while the others wait
# Rows that Django makes after each migration and that no test changes. To make them again takes 0.3 s.
KEPT_TABLES = (
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
)


def worker_number() -> int:
    """The number of this process among those that pytest-xdist started: 0, 1, …; 0 without it."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


def run_id() -> str:
    """Return the id that all processes of one test run share."""
    return os.environ.get("TEST_RUN") or os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())


def choose_redis() -> None:
    """Point this process, and the programs that it starts, to Redis databases of its own.

    Database 0 stays free.
    """
    number = int(os.environ.get("TEST_REDIS_BASE", "1")) + worker_number()
    for variable in ("LINE_REDIS_URL", "BROKER_URL"):
        url = urlsplit(os.environ[variable])._replace(path=f"/{number}").geturl()
        os.environ[variable] = url
        setattr(settings, variable, url)
    settings.CELERY_BROKER_URL = settings.BROKER_URL


def create() -> str:
    """Make this process's Postgres database, from a migrated template, and use it from now on; its name."""
    name = f"test_{os.environ.get('TEST_LANE', 'all')}_{worker_number()}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute("SELECT pg_advisory_lock(%s)", [MIGRATING])  # until this connection is closed
        template = _template(server)
        drop(name)
        server.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    _use(name)
    return name


def drop(name: str) -> None:
    """Delete a database, even if it is still in use."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _template(server: psycopg.Connection) -> str:
    """The name of this run's template, migrated. Call it under the lock."""
    name = f"test_{connection.settings_dict['NAME']}"
    found = server.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    if found != (run_id(),):
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        disconnect()  # a database that somebody is connected to can't be copied
        server.execute(
            sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(run_id()))
        )
    return name


def disconnect() -> None:
    """Close this thread's connection, and those that wait in the pool."""
    connection.close()
    cast("DatabaseWrapper", connection).close_pool()


def _use(name: str) -> None:
    disconnect()
    settings.DATABASES["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


def truncate() -> None:
    """Empty every table that has rows, but for those of KEPT_TABLES."""
    with connection.cursor() as cursor:
        cursor.execute(_rows_query())
        filled = [name for (name,) in cursor.fetchall()]
        if filled:
            tables = sql.SQL(", ").join(map(sql.Identifier, filled))
            cursor.execute(sql.SQL("TRUNCATE {} CASCADE").format(tables))


@cache
def _rows_query() -> sql.Composed:
    """A statement that lists the tables that have rows."""
    names = [name for name in connection.introspection.table_names() if name not in KEPT_TABLES]
    return sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(name), sql.Identifier(name))
        for name in names
    )
