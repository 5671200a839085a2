"""Shared fixtures: databases, a browser, threads that race. `make test` has started Postgres and two Redis.

Each test process has a database and Redis databases of its own. The first test that asks for `stack` starts
the whole shop, which it then speaks to as a visitor does.
"""

import gc
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db import connection, connections
from playwright.sync_api import Browser, sync_playwright
from pytest_django import DjangoDbBlocker
from redis import Redis

from deploy.local.commands import chromium, demo
from deploy.local.runner.stack import RunningStack, Stack
from drops import queries
from tests import databases
from tests.lanes import (
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_terminal_summary,
    server_lane,
)

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_terminal_summary",
    "server_lane",
]

SECONDS = 30

Race = Callable[[int, Callable[[int], object]], list[Any]]

databases.choose_redis()
# The usual hasher takes 0.3 s on purpose.
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# No property test is held to a wall-clock time.
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.load_profile("shared machine")
# Tests leave little garbage: looking for it less often saves time.
gc.set_threshold(20_000, 50, 50)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A migrated database of this process's own, in place of the one that pytest-django would migrate."""
    with django_db_blocker.unblock():
        name = databases.create()
    yield
    with django_db_blocker.unblock():
        databases.disconnect()
        databases.drop(name)


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The database, for tests that commit: what they leave is truncated.

    In place of pytest-django's, which flushes every table and has Django fill its own again, 0.3 s each time.
    """
    with django_db_blocker.unblock():
        yield
        connections.close_all()
        databases.truncate()
        connections.close_all()


@pytest.fixture
def db(request: pytest.FixtureRequest) -> None:
    """The database, in a transaction that is rolled back unless the test asks for `transactional_db`, too."""
    request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")


@pytest.fixture
def race(transactional_db: None) -> Race:
    """`race(8, act)`: call act(0) … act(7) at once, each in a thread with a connection of its own.

    Returns what each returned or raised, in order.
    """

    def run(count: int, act: Callable[[int], object]) -> list[object]:
        barrier = threading.Barrier(count)

        def one(number: int) -> object:
            try:
                connection.ensure_connection()
                barrier.wait(SECONDS)
                return act(number)
            except Exception as error:  # noqa: BLE001 the result of a race is also how it was lost
                return error
            finally:
                connection.close()

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count), timeout=SECONDS))

    return run


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """Clear the short-lived caches of drops before each test."""
    queries.clear_cache()


@pytest.fixture
def line_redis() -> Iterator[Redis]:
    """The unit tests' own database of the line's Redis, empty."""
    client = Redis.from_url(os.environ["LINE_REDIS_URL"])
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """The running shop: `.environment`, `.pid(program)`, `.kill(program)`, `.wait_until_up()`."""
    folder = os.environ.get("TEST_STACK")
    if not folder:
        pytest.fail(
            "This test needs the whole shop: run it by `make test`, or `python -m deploy.local test -- …`."
        )
    own = f"{folder}-{databases.worker_number()}"
    with Stack(folder=Path(own), settings=demo.SIZES) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium, driven by Playwright; a test opens a context of its own in it."""
    found = chromium.find()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=found.executable,
            env=dict(found.environment),
            chromium_sandbox=False,
            args=chromium.ARGUMENTS,
        )
        yield started
        started.close()
