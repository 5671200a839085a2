"""A gatekeeper's readiness over HTTP: `GET /healthz/ready`, in the same words as web's.

    {"ready": false, "leads": true, "faults": {"shuffle key": "The draw of … needs the key “k1” …"}}

Of several gatekeepers each answers for itself; one that stands by is ready, too.
"""

import json
import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self

from django.db import Error, close_old_connections

from drops import shuffle_keys
from drops.waitingroom.gatekeeper.loop import Gatekeeper

logger = logging.getLogger(__name__)

PATH = "/healthz/ready"
STALLED_SECONDS = 10.0  # without the end of a tick; a tick waits 1 s for each answer of Redis
REQUEST_SECONDS = 5.0  # for a client to send its request


def find_faults(gatekeeper: Gatekeeper) -> dict[str, str]:
    """Return what keeps a gatekeeper from its work, by name. Empty means ready."""
    faults = {
        name.lower(): f"{name} can't be reached, or refuses writes." for name in gatekeeper.outages.since
    }
    if gatekeeper.seconds_since_tick() > STALLED_SECONDS:
        faults["ticks"] = f"No tick has ended for {STALLED_SECONDS:.0f} s."
    try:
        unusable = shuffle_keys.find_unusable()
    except Error as error:
        faults["postgres"] = f"Postgres can't be read ({type(error).__name__})."
    else:
        if unusable:
            faults["shuffle key"] = " ".join(map(str, unusable))
    finally:
        close_old_connections()
    return faults


class ReadinessServer:
    """Answers for as long as the block lasts, from its own threads. Raises OSError if the port is taken."""

    def __init__(self, gatekeeper: Gatekeeper, *, host: str, port: int) -> None:
        self._server = _Server((host, port), _Handler)
        self._server.gatekeeper = gatekeeper
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    gatekeeper: Gatekeeper


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_SECONDS

    def do_GET(self) -> None:
        status: int = HTTPStatus.NOT_FOUND
        body: dict[str, object] = {}
        if self.path == PATH:
            faults = find_faults(self.server.gatekeeper)
            status = HTTPStatus.SERVICE_UNAVAILABLE if faults else HTTPStatus.OK
            body = {"ready": not faults, "leads": self.server.gatekeeper.term is not None, "faults": faults}
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 http.server's name
        logger.debug(format, *args)
