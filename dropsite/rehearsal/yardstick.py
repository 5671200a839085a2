"""What a bare Django view costs on this machine while a rehearsal runs, so that costs can be compared across machines.

Machines of one kind differ by a factor of three, and by the second: a figure in milliseconds says little without it.
Run as a program it serves the view by gunicorn's threads, asks for it in bursts on one kept connection until its input
ends, and prints the milliseconds of CPU a request. The time between bursts is not counted.
"""

import contextlib
import select
import socket
import subprocess
import sys
from time import monotonic, sleep

from deploy.local.ports import free_port
from deploy.local.programs import ROOT
from dropsite.rehearsal.processes import running, tree

BURST, PAUSE = 100, 2.0  # requests; seconds between two bursts
SECONDS = 20.0  # for the server's start, and for each answer
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
END = b"bare\n"


class NoYardstick(Exception):
    """It could not be measured."""


class Yardstick:
    """Measures from its making until `read`."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "dropsite.rehearsal.yardstick"]
        self._program = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self) -> float:
        """Give milliseconds a request. Raises: NoYardstick."""
        said, _ = self._program.communicate()
        if self._program.returncode:
            raise NoYardstick
        return float(said)


def main() -> None:
    """Measure until the input ends."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "dropsite.rehearsal.bare:application", "-k", "gthread"]
    command += ["--threads", "4", "--keep-alive", "35", "-b", f"127.0.0.1:{port}", "--no-control-socket"]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connected(port) as connection:
            ask(connection)
            spent = [burst(connection, server.pid)]
            while not select.select([sys.stdin], [], [], PAUSE)[0]:
                spent.append(burst(connection, server.pid))
        sys.stdout.write(f"{1000 * sum(spent) / len(spent) / BURST}\n")
    finally:
        server.terminate()
        server.wait()


def connected(port: int) -> socket.socket:
    """Connect as soon as the server listens. Raises: OSError."""
    ends = monotonic() + SECONDS
    while monotonic() < ends:
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
        sleep(0.05)
    raise ConnectionRefusedError


def burst(connection: socket.socket, server: int) -> float:
    """CPU seconds that a burst of requests costs the server."""
    before = used(server)
    ask(connection)
    return used(server) - before


def ask(connection: socket.socket) -> None:
    """Ask for the page, one request after the other. Raises: OSError."""
    for _ in range(BURST):
        connection.sendall(REQUEST)
        answer = b""
        while not answer.endswith(END):
            piece = connection.recv(4096)
            if not piece:
                raise ConnectionResetError
            answer += piece


def used(pid: int) -> float:
    """CPU seconds of a process and all under it, until now."""
    return sum(process.own + process.ended for process in tree(pid, running()))


if __name__ == "__main__":
    main()
