"""Gates as they run in production: gunicorn's ASGI worker, real HTTP, two on one Redis, a worker killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest
import requests
from redis import Redis

from deploy.local.runner.ports import free_port
from drops.waitingroom.protocol import lua
from drops.waitingroom.protocol.config import ROOT
from tests.drops.waitingroom.gate.conftest import JSON, OURS
from tests.drops.waitingroom.protocol.servers import RedisServer, adopt
from tests.servers import until

pytestmark = pytest.mark.usefixtures("server_lane")


class Process:
    """One gunicorn with one worker."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "drops.waitingroom.gate.app:app",
            "-k",
            "asgi",
            "--asgi-lifespan",
            "on",
        ]
        command += ["-w", "1", "-b", f"127.0.0.1:{port}", "--keep-alive", "35", "--graceful-timeout", "2"]
        command += ["--no-control-socket", "--log-level", "warning"]
        self.log = folder / f"{port}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def is_up(self) -> bool:
        try:
            return requests.get(f"{self.address}/line/healthz", timeout=5).ok
        except requests.ConnectionError:
            return False

    def kill_worker(self) -> None:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


@pytest.fixture
def pair(environment: pytest.MonkeyPatch, server: object, tmp_path: Path) -> Iterator[list[Process]]:
    """Two gates on one Redis."""
    made = [Process(tmp_path, dict(os.environ)) for _ in range(2)]
    for process in made:
        until(process.is_up, "the gate")
    yield made
    for process in made:
        process.end()


def joins(process: Process, clients: list[str]) -> list[int]:
    """Join until each client has its index, as a page does after an error."""
    found: list[int] = []
    with requests.Session() as session:

        def one(client: str) -> bool:
            session.cookies.clear()
            try:
                reply = session.post(
                    f"{process.address}/line/x/join",
                    headers=JSON | OURS | {"X-Client-Key": client},
                    timeout=5,
                )
            except requests.ConnectionError:
                return False
            if reply.ok:
                found.append(reply.json()["index"])
            return reply.ok

        for client in clients:
            until(lambda client=client: one(client), "an index")  # type: ignore[misc]
    return found


def test_two_gates_give_no_index_twice_and_leave_no_gap(pair: list[Process], server: Redis) -> None:
    adopt(server)
    crowd = [[f"{number:016x}{n:016x}" for n in range(25)] for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        found = list(chain.from_iterable(pool.map(joins, pair * 4, crowd)))

    assert sorted(found) == list(range(200))


def test_a_killed_worker_costs_nobody_an_index(pair: list[Process], server: Redis) -> None:
    adopt(server)
    crowd = [[f"{number:016x}{n:016x}" for n in range(50)] for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        running = pool.map(joins, pair * 2, crowd)
        until(lambda: lua.read_state(server, "x").number("counter") >= 20, "the crowd")
        pair[0].kill_worker()
        found = list(chain.from_iterable(running))

    # A repeat with the same key gets what the lost answer said: nobody has two, and none is left over.
    assert sorted(found) == list(range(200))


def test_a_gate_stops_at_once_and_logs_nothing(pair: list[Process]) -> None:
    requests.get(f"{pair[0].address}/line/x/status.json", timeout=5)

    assert pair[0].end() == 0
    assert pair[0].log.read_text() == ""


def test_a_gate_without_its_variables_stops_with_one_sentence(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.delenv("PASS_KEYS")
    process = Process(tmp_path, dict(os.environ))

    assert process.process.wait(30) == 3
    assert (
        "The gate can't start. These environment variables are missing or wrong: PASS_KEYS."
        in process.log.read_text()
    )


def test_a_real_answer_has_its_cookies_and_its_length(
    pair: list[Process], server: Redis, shared_server: RedisServer
) -> None:
    adopt(server)
    reply = requests.post(
        f"{pair[0].address}/line/x/join",
        cookies={"key-x": "a" * 32},
        headers=OURS | {"Accept": "text/html"},
        allow_redirects=False,
        timeout=5,
    )

    assert (reply.status_code, reply.headers["Location"], reply.content) == (303, "/line/x/", b"")
    assert {cookie.name for cookie in reply.cookies} == {"ticket-x", "index-x"}
