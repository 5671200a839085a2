"""The ports of a local stack: fixed ones for the demo (each a setting), free ones for tests."""

import os
import random
import socket
from collections.abc import Mapping

HOST = "127.0.0.1"

DEFAULT_PORTS = {
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

# Below the ports that the kernel uses for outgoing connections: from 32768 on Linux, from 49152 on macOS.
FREE_RANGE = range(20_000, 32_000)
MAX_TRIES = 1_000


class BadPort(Exception):
    """A port can't be used; the message is for the person who started the program."""


def configured(*, environment: Mapping[str, str] = os.environ) -> dict[str, int]:
    """Return the ports that the environment names, otherwise the default ones. Raises: BadPort."""
    port_numbers: dict[str, int] = {}
    for name, default in DEFAULT_PORTS.items():
        text = environment.get(name) or str(default)
        if not text.isdigit() or not 0 < int(text) < 65536:
            raise BadPort(f"{name}={text} is not a port: use a number from 1 to 65535.")
        port = int(text)
        for other, taken in port_numbers.items():
            if port == taken:
                raise BadPort(f"{other} and {name} are the same port {port}: give each its own.")
        port_numbers[name] = port
    return port_numbers


def free() -> dict[str, int]:
    """Return a free port for each name, all different."""
    found: set[int] = set()
    while len(found) < len(DEFAULT_PORTS):
        found.add(free_port())
    return dict(zip(DEFAULT_PORTS, found, strict=True))


def free_port() -> int:
    """Return a port that nothing uses now, from FREE_RANGE.

    A port of the kernel's choice (port 0) could go to an outgoing connection before a server listens on it.
    Raises: OSError.
    """
    for _ in range(MAX_TRIES):
        port = random.choice(FREE_RANGE)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError(f"No port from {FREE_RANGE.start} to {FREE_RANGE.stop - 1} is free.")


def refuse_busy(*, port_numbers: Mapping[str, int], command: str) -> None:
    """Check that no other program listens on one of the ports. Raises: BadPort, which names the setting."""
    for name, port in port_numbers.items():
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except OSError as error:
                advice = f"Choose a different one: {name}={port + 100} {command}"
                raise BadPort(f"Port {port} is not free ({error.strerror}). {advice}") from error
