"""Is it there yet? One cheap question per program, asked over its own protocol without a client library."""

import http.client
import os
import socket
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

SECONDS = 2.0


def _dial(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 0), timeout=SECONDS)


def _postgres(environment: Mapping[str, str]) -> bool:
    """A start-up packet is answered by "R" (who are you) once the server takes sessions, by "E" before."""
    parts = urlsplit(environment["DATABASE_URL"])
    words = b"user\0%b\0database\0%b\0\0" % ((parts.username or "").encode(), parts.path[1:].encode())
    with _dial(environment["DATABASE_URL"]) as connection:
        connection.sendall(struct.pack("!ii", len(words) + 8, 196608) + words)
        return connection.recv(1) == b"R"


def _redis(url: str) -> bool:
    """PING is answered by an error while the server still loads its file."""
    with _dial(url) as connection:
        connection.sendall(f"AUTH default {urlsplit(url).password}\r\nPING\r\n".encode())
        answer = b""
        while answer.count(b"\r\n") < 2 and (part := connection.recv(200)):
            answer += part
        return answer.endswith(b"+PONG\r\n")


def _http(port: str, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Host": "127.0.0.1"})
        return connection.getresponse().status == 200
    finally:
        connection.close()


def _listens(port: str) -> bool:
    with socket.create_connection(("127.0.0.1", int(port)), timeout=SECONDS):
        return True


def finished(name: str, environment: Mapping[str, str]) -> Path:
    """The file that exists once a program that runs once has ended well."""
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
    "release": lambda environment: finished("release", environment).exists(),
    "demo": lambda environment: finished("demo", environment).exists(),
    "crowd": lambda environment: finished("crowd", environment).exists(),
}


def is_up(name: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the program does its work now; a program without a probe always does."""
    try:
        return name not in PROBES or PROBES[name](environment)
    except (OSError, http.client.HTTPException):
        return False
