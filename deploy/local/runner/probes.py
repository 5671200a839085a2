"""Readiness probes: one cheap question per program, over its own protocol.

No client library is imported: the probes run in processes that start once for each program.
"""

import http.client
import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.runner.environment import postgres_folder

TIMEOUT_SECONDS = 2.0
PROTOCOL_3_0 = 196608  # of Postgres: 3 << 16


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=TIMEOUT_SECONDS)


def _postgres(environment: Mapping[str, str]) -> bool:
    """Whether Postgres accepts sessions.

    Its status file is read first: while the server starts, it would log each connection as a fatal error.
    """
    pid_file = postgres_folder(Path(environment["STACK_FOLDER"])) / "data/postmaster.pid"
    if not pid_file.read_text().rstrip().endswith("ready"):
        return False
    # The file of a killed server says "ready" too. A live one answers "R" (an authentication request).
    url = urlsplit(environment["DATABASE_URL"])
    user = (url.username or "").encode()
    database = url.path[1:].encode()
    parameters = b"user\0%b\0database\0%b\0\0" % (user, database)
    with _connect(environment["DATABASE_URL"]) as connection:
        connection.sendall(struct.pack("!ii", len(parameters) + 8, PROTOCOL_3_0) + parameters)
        return connection.recv(1) == b"R"


def _redis(url: str) -> bool:
    """Whether PING is answered by PONG; while the server loads its file, the answer is an error."""
    with _connect(url) as connection:
        connection.sendall(f"AUTH default {urlsplit(url).password}\r\nPING\r\n".encode())
        answers = b""
        while answers.count(b"\r\n") < 2:
            received = connection.recv(200)
            if not received:
                break
            answers += received
        return answers.endswith(b"+PONG\r\n")


def _http(port: str, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path, headers={"Host": "127.0.0.1"})
        return connection.getresponse().status == 200
    finally:
        connection.close()


def _listens(port: str) -> bool:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=TIMEOUT_SECONDS):
        return True


def done_file(name: str, environment: Mapping[str, str]) -> Path:
    """Return the path of the file that exists once a program that runs only once has succeeded."""
    return Path(environment["RUN_DIR"], f"{name}.done")


PROBES: dict[str, Callable[[Mapping[str, str]], bool]] = {
    "postgres": _postgres,
    "line-redis": lambda environment: _redis(environment["LINE_REDIS_URL"]),
    "broker-redis": lambda environment: _redis(environment["BROKER_URL"]),
    "mail-catcher": lambda environment: _http(environment["PORT_MAIL_PAGE"], "/messages.json"),
    "sandbox": lambda environment: _listens(environment["PORT_SANDBOX"]),
    "gate": lambda environment: _http(environment["PORT_GATE"], "/line/healthz"),
    "web": lambda environment: _http(environment["PORT_WEB"], "/healthz/ready"),
    "hooks": lambda environment: _http(environment["PORT_HOOKS"], "/healthz/live"),
    "edge": lambda environment: _listens(environment["PORT_EDGE"]),
    "release": lambda environment: done_file("release", environment).exists(),
    "demo": lambda environment: done_file("demo", environment).exists(),
    "crowd": lambda environment: done_file("crowd", environment).exists(),
}


def is_up(name: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the program is ready; one without a probe always is."""
    try:
        return name not in PROBES or PROBES[name](environment)
    except (OSError, http.client.HTTPException):
        return False
