"""A Redis server of a test's own, which may be killed, and calls with defaults."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from deploy.local.runner.ports import free_port
from deploy.local.servers.valkey import binary
from drops.waitingroom.protocol import lua
from drops.waitingroom.protocol import status as documents
from drops.waitingroom.protocol.status import Status
from tests.servers import until

SECONDS = 20
DROP = UUID("c0ffee00-0000-4000-8000-000000000001")
NOW = 1_795_000_000.0


class RedisServer:
    """One server on a port of its own.

    `durable` keeps an append-only file; otherwise only SAVE keeps anything.
    """

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.command = [
            binary(),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(folder),
            "--save",
            "",
        ]
        self.command += ["--appendonly", "yes" if durable else "no", "--loglevel", "nothing"]
        # Without retries: a test that kills the server wants to see each failure.
        self.redis = Redis.from_url(self.url, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.answers, "the Redis server")

    def client(self) -> Redis:
        """Return another client, for another thread."""
        return Redis.from_url(self.url)

    def answers(self) -> bool:
        try:
            return bool(self.redis.ping())
        except RedisError:
            return False

    def kill(self, *, forget: bool = False) -> None:
        """End the server by SIGKILL; with `forget`, delete what it has stored, too."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if forget:
            shutil.rmtree(self.folder)
            self.folder.mkdir()

    def hang(self) -> None:
        """Stop the server: it accepts connections and answers nothing, until `go_on`."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def fill(self) -> None:
        """Leave the server with more than its memory may hold, so that it refuses to write."""
        self.redis.set("ballast", b"x" * 2_000_000)
        self.redis.config_set("maxmemory", "1mb")

    def empty(self) -> None:
        """Make room again."""
        self.redis.config_set("maxmemory", "0")
        self.redis.delete("ballast")

    def restart(self) -> None:
        self.kill()
        self.start()

    def end(self) -> None:
        self.redis.close()
        self.kill()


def adopt(server: Redis, slug: str = "x", **changed: object) -> None:
    """Adopt the server for drop `slug` as a first gatekeeper does; `changed` replaces arguments."""
    numbers = {
        "term": 1,
        "epoch": 1,
        "counter": 0,
        "limit": 1000,
        "cursor": 0,
        "allowance": 0,
        "entered": 0,
        "lobby": 0,
    }
    said: dict[str, Any] = (
        {"drop": DROP, "run_id": lua.read_run_id(server), "paused": False, "closed": False}
        | numbers
        | changed
    )
    lua.adopt(server, slug, **said)


def publish(server: Redis, slug: str = "x", **changed: object) -> None:
    """Publish as the gatekeeper of term 1 does when nothing has moved; `changed` replaces arguments."""
    said: dict[str, Any] = {
        "term": 1,
        "limit": 0,
        "cursor": 0,
        "allowance": 0,
        "paused": False,
        "closed": False,
        "status": "",
    } | changed
    lua.publish(server, slug, **said)


def document(**changed: object) -> Status:
    """Return the status document of a lobby at NOW, 60 s before the opening."""
    found = {
        "v": 1,
        "epoch": 1,
        "tick": 1,
        "now": NOW,
        "slug": "x",
        "drop": str(DROP),
        "phase": "lobby",
        "lobby_opens": NOW - 60,
        "opens": NOW + 60,
        "closes": None,
        "sealed": None,
        "commitment": "00" * 32,
        "secret": None,
        "cursor": 0,
        "joined": 0,
        "entered": 0,
        "pace": None,
        "rate": 0.0,
        "poll": documents.POLL,
        "editions": [],
        "sentence": "",
    }
    return found | changed  # type: ignore[return-value]
