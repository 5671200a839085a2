"""Servers of the races' own: a Redis that may be killed, and the sandbox."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drops.scaling.cloud import cloud
from tests.drops.waitingroom.protocol.servers import RedisServer
from tests.payments.conftest import sandbox, sandbox_process

__all__ = ["cloud", "own_redis", "sandbox", "sandbox_process"]


@pytest.fixture(autouse=True)
def lane(server_lane: None) -> None:
    """Run the tests of this folder among the servers."""


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis that the test may kill and start again."""
    server = RedisServer(tmp_path)
    yield server
    server.end()
