"""Warming a resized reader before it becomes the writer: its cache is empty, and the crowd would fill it.

Only where the shop's own DATABASE_URL leads to this cluster, with its user and password; pg_prewarm must be installed.
A reader that does not answer is no writer-to-be.
"""

import time
from collections.abc import Collection

import psycopg
from django.conf import settings
from django.utils.translation import gettext as _

from drops.scaling.providers.base import OutcomeUnclear

CONNECT_SECONDS = 3
SECONDS = 20.0  # in all; what is not warm by then is warmed by use

# Indexes and tables of our own schema, the small ones first: with many, most are warm when time is up.
RELATIONS = """
    SELECT c.oid::regclass::text FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'i') AND c.relpersistence = 'p'
    ORDER BY pg_relation_size(c.oid)
"""


def warm(*, host: str, endpoints: Collection[str]) -> str:
    """Read the shop's tables into the cache of the instance at `host`; say what was done. Raises: Unknown."""
    shop = settings.DATABASES["default"]
    if not host or shop["HOST"] not in endpoints:
        return _("not warmed: DATABASE_URL leads elsewhere")
    until = time.monotonic() + SECONDS
    try:
        with psycopg.connect(
            host=host,
            port=shop["PORT"] or None,
            dbname=shop["NAME"],
            user=shop["USER"],
            password=shop["PASSWORD"],
            connect_timeout=CONNECT_SECONDS,
            autocommit=True,
            options=f"-c statement_timeout={int(SECONDS * 1000)}",
        ) as connection:
            return _prewarm(connection, until=until)
    except psycopg.errors.QueryCanceled:
        return _("warmed in part: the time is up")
    except psycopg.Error as error:
        raise OutcomeUnclear(
            _("The resized instance %(host)s can't be read (%(said)s); it does not become the writer before it can.")
            % {"host": host, "said": " ".join(str(error).split())[:100]}
        ) from error


def _prewarm(connection: psycopg.Connection, *, until: float) -> str:
    if not connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_prewarm'").fetchone():
        return _("not warmed: pg_prewarm is not installed in the database")
    names = [name for (name,) in connection.execute(RELATIONS)]
    done = 0
    for name in names:
        if time.monotonic() > until:
            break
        connection.execute("SELECT pg_prewarm(%s)", [name])
        done += 1
    return _("%(done)s of %(all)s tables and indexes warmed") % {"done": done, "all": len(names)}
