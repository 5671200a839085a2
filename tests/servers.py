"""Helpers of the tests of real servers: a bounded wait, and an HTTP server in a thread."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

Found = TypeVar("Found")


def until(look: Callable[[], Found], what: str = "it", *, seconds: float = 40) -> Found:
    """Wait until `look` finds something, and return it. Fails the test if it finds nothing in time."""
    pause, ends = threading.Event(), time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < ends, f"{what}: it did not come true in {seconds:g} s"
        pause.wait(0.02)
    return found


class QuietHandler(BaseHTTPRequestHandler):
    """A request handler that logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 http.server's name
        pass


class ThreadedServer:
    """An HTTP server on this machine, in a thread of the test, until it is closed."""

    def __init__(self, handler: type[BaseHTTPRequestHandler], *, port: int = 0) -> None:
        self._server = _Server(("127.0.0.1", port), handler)
        self.port = self._server.server_port
        self.origin = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
