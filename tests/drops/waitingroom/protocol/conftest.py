"""Redis servers for the scripts' tests, apart from the others': they are emptied and killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from tests.drops.waitingroom.protocol.servers import RedisServer


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("line"), durable=False)
    yield server
    server.end()


@pytest.fixture
def server(shared_server: RedisServer) -> Redis:
    """An empty Redis."""
    shared_server.redis.flushall()
    return shared_server.redis


@pytest.fixture
def mortal(server_lane: None, tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis server that the test may kill; it keeps an append-only file."""
    found = RedisServer(tmp_path)
    yield found
    found.end()


@pytest.fixture
def forgetful(server_lane: None, tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis server that the test may kill; it comes back with what the last SAVE wrote."""
    found = RedisServer(tmp_path, durable=False)
    yield found
    found.end()
