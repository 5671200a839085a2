"""The services that a process needs before it takes requests.

Stripe isn't one of them: without it, pages, waiting room and holds work.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from django.conf import settings
from django.contrib.staticfiles.storage import HashedFilesMixin, staticfiles_storage
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from drops import shuffle_keys
from payments import dispatch
from shop.core import clock_skew, database_watch, redis_servers


class ServiceNotReady(Exception):
    """A service isn't ready yet; the text says why."""


def find_problems() -> dict[str, str]:
    """Check everything and return what is wrong, by name. Empty means ready."""
    checks: dict[str, Callable[[], None]] = {
        "database": check_database,
        "migrations": check_migrations,
        "shuffle key": check_shuffle_keys,
        "line": lambda: check_redis(settings.LINE_REDIS_URL),
        "broker": check_broker,
        "static files": check_static_files,
    }
    found = {}
    for name, check in checks.items():
        try:
            check()
        except ServiceNotReady as fault:
            found[name] = str(fault)
    clock_skew.measure_if_due()
    return found


def check_database() -> None:
    """Write, with all of the pool's connections open, so that no shopper waits for one."""
    with database_errors():
        database_watch.check_write()
        pool = getattr(connection, "pool", None)
        if pool is not None and pool.get_stats()["pool_size"] < pool.min_size:
            raise ServiceNotReady("The pool has not opened all its connections.")


def check_migrations() -> None:
    """Check that the database has every migration of the code. Once true, it stays true for this process."""
    with database_errors():
        if not cached_migrations_applied():
            cached_migrations_applied.cache_clear()
            raise ServiceNotReady("Migrations are missing; run manage.py migrate.")


def check_shuffle_keys() -> None:
    """Check that each drop that is still to be sealed has the key that its commitment was made with."""
    with database_errors():
        if unusable := shuffle_keys.find_unusable():
            raise ServiceNotReady(" ".join(map(str, unusable)))


@cache
def cached_migrations_applied() -> bool:
    """Whether the database has every migration."""
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn database errors into ServiceNotReady."""
    try:
        yield
    except Error as error:
        raise ServiceNotReady(f"The database takes no writes ({type(error).__name__}).") from error


def check_broker() -> None:
    """Write to the broker, with everything loaded that enqueueing a task needs."""
    dispatch.preload()
    check_redis(settings.BROKER_URL)


def check_redis(url: str) -> None:
    """Write to the Redis at that address: one that is full answers every question, and takes nothing."""
    try:
        redis_servers.check_write(url)
    except redis_servers.WriteRefused as refused:
        raise ServiceNotReady(str(refused)) from refused


def check_static_files() -> None:
    """Check that the manifest exists, from which pages take the names of static files."""
    if isinstance(staticfiles_storage, HashedFilesMixin) and not getattr(
        staticfiles_storage, "hashed_files", None
    ):
        raise ServiceNotReady(
            "The manifest of static files is missing; run manage.py collectstatic and start again."
        )
