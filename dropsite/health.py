"""What must be there before this process takes requests. Stripe isn't: without it pages, line and holds still work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import redis
from django.conf import settings
from django.contrib.staticfiles.storage import HashedFilesMixin, staticfiles_storage
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from payments import dispatch

SECONDS = 1.0  # how long a Redis may take to answer


class Unready(Exception):
    """Something isn't there yet; the text says what."""


def faults() -> dict[str, str]:
    """Look at everything and return what is wrong, by name. Empty: ready."""
    checks: dict[str, Callable[[], None]] = {
        "database": database_answers,
        "migrations": migrations_are_applied,
        "line": lambda: redis_answers(settings.LINE_REDIS_URL),
        "broker": broker_answers,
        "static files": static_files_are_collected,
    }
    found = {}
    for name, check in checks.items():
        try:
            check()
        except Unready as fault:
            found[name] = str(fault)
    return found


def database_answers() -> None:
    """Ask the database something, with the pool's connections all open: no shopper waits for the first."""
    with database_faults():
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        pool = getattr(connection, "pool", None)
        if pool is not None and pool.get_stats()["pool_size"] < pool.min_size:
            raise Unready("The pool has not opened all its connections.")


def migrations_are_applied() -> None:
    """Find no migration that the code has and the database has not. A yes stays yes in this process."""
    with database_faults():
        if not remembered_migrations():
            remembered_migrations.cache_clear()
            raise Unready("Migrations are missing; run manage.py migrate.")


@cache
def remembered_migrations() -> bool:
    """Say whether the database has every migration."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


@contextmanager
def database_faults() -> Iterator[None]:
    """Turn what the database raises into Unready."""
    try:
        yield
    except DatabaseError as error:
        raise Unready(f"The database does not answer ({type(error).__name__}).") from error


def broker_answers() -> None:
    """Get a PONG from the broker, with all loaded that handing it a task needs."""
    dispatch.load()
    redis_answers(settings.BROKER_URL)


def redis_answers(url: str) -> None:
    """Get a PONG from the Redis at that address."""
    try:
        client(url).ping()
    except redis.RedisError as error:
        raise Unready(f"Redis does not answer ({type(error).__name__}).") from error


@cache
def client(url: str) -> redis.Redis:
    """Keep one small client per server; it connects again by itself."""
    return redis.Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)


def static_files_are_collected() -> None:
    """Find the manifest from which pages take the names of their files."""
    if isinstance(staticfiles_storage, HashedFilesMixin) and not getattr(staticfiles_storage, "hashed_files", None):
        raise Unready("The manifest of static files is missing; run manage.py collectstatic and start again.")
