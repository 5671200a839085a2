"""Warming a resized reader before it becomes the writer: otherwise the crowd would meet an empty cache.

This needs the shop's own DATABASE_URL to lead to the cluster, as it supplies user and password, and
pg_prewarm to be installed. A reader that doesn't respond must not become the writer.
"""

import time
from collections.abc import Collection

import psycopg
from django.conf import settings

from drops.scaling.providers.base import OutcomeUnclear, one_line

CONNECT_SECONDS = 3
WARM_UP_SECONDS = 20.0  # in all; what isn't warm by then is warmed by use

# Tables and indexes of our own schema, the small ones first, so that most are warm when the time is up.
RELATIONS = """
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'i') AND c.relpersistence = 'p'
    ORDER BY pg_relation_size(c.oid)
"""


def warm(*, host: str, endpoints: Collection[str]) -> str:
    """Read the shop's tables into the cache of the instance at `host`; return what was done.

    Raises OutcomeUnclear if the instance can't be read.
    """
    database = settings.DATABASES["default"]
    if not host or database["HOST"] not in endpoints:
        return "not warmed: DATABASE_URL points to a different cluster"
    deadline = time.monotonic() + WARM_UP_SECONDS
    try:
        with psycopg.connect(
            host=host,
            port=database["PORT"] or None,
            dbname=database["NAME"],
            user=database["USER"],
            password=database["PASSWORD"],
            connect_timeout=CONNECT_SECONDS,
            autocommit=True,
            options=f"-c statement_timeout={int(WARM_UP_SECONDS * 1000)}",
        ) as connection:
            return _prewarm(connection, deadline=deadline)
    except psycopg.errors.QueryCanceled:
        return "partly warmed: the time ran out"
    except psycopg.Error as error:
        raise OutcomeUnclear(
            f"The resized instance {host} can't be read ({one_line(error, 100)}), so it hasn't been made"
            " the writer. It will be tried again."
        ) from error


def _prewarm(connection: psycopg.Connection, *, deadline: float) -> str:
    if not connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_prewarm'").fetchone():
        return "not warmed: pg_prewarm is not installed in the database"
    names = [name for (name,) in connection.execute(RELATIONS)]
    warmed = 0
    for name in names:
        if time.monotonic() > deadline:
            break
        connection.execute("SELECT pg_prewarm(%s)", [name])
        warmed += 1
    return f"{warmed} of {len(names)} tables and indexes warmed"
