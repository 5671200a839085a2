"""The ports of a local stack: fixed ones for the demo (each a setting), free ones for tests."""

import os
import random
import socket
from collections.abc import Mapping

HOST = "127.0.0.1"

USUAL = {
    "PORT_EDGE": 8000,
    "PORT_WEB": 8001,
    "PORT_GATE": 8002,
    "PORT_HOOKS": 8003,
    "PORT_SANDBOX": 8004,
    "PORT_MAIL_PAGE": 8005,
    "PORT_SMTP": 8006,
    "PORT_POSTGRES": 8007,
    "PORT_LINE_REDIS": 8008,
    "PORT_BROKER_REDIS": 8009,
}


FREE = range(20_000, 32_000)  # Linux connects from 32768 on, macOS from 49152 on
TRIES = 1_000


class BadPort(Exception):
    """A port cannot be used; the message is one sentence for whoever started us."""


def usual(*, environment: Mapping[str, str] = os.environ) -> dict[str, int]:
    """The demo's ports, where the environment names no other. Raises: BadPort."""
    ports = {}
    for name, port in USUAL.items():
        text = environment.get(name) or str(port)
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise BadPort(f"{name}={text} is not a port: give a number from 1 to 65535.")
        ports[name] = int(text)
    twice = [name for name in ports if list(ports.values()).count(ports[name]) > 1]
    if twice:
        raise BadPort(f"{' and '.join(twice)} are the same port {ports[twice[0]]}: give each its own.")
    return ports


def free() -> dict[str, int]:
    """A free port for each name, all different."""
    found: set[int] = set()
    while len(found) < len(USUAL):
        found.add(free_port())
    return dict(zip(USUAL, found, strict=True))


def free_port() -> int:
    """A port that nothing uses now, below those that the kernel gives to outgoing connections.

    One of the kernel's choice (port 0) may be another connection's own a moment later, before a server listens on it.
    Raises: OSError.
    """
    for _ in range(TRIES):
        port = random.choice(FREE)  # no secret
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"No port from {FREE.start} to {FREE.stop - 1} is free.")


def refuse_busy(*, ports: Mapping[str, int], command: str) -> None:
    """Raises BadPort, naming the setting, if another program listens on one of them."""
    for name, port in ports.items():
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except OSError as error:
                raise BadPort(
                    f"Port {port} is not free ({error.strerror}). Choose another: {name}={port + 100} {command}"
                ) from error
