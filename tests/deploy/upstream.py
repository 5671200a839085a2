"""A tier behind the edge, played by a test: it answers what the test says, and records its requests."""

import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self


class Request(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    at: float


class Response(NamedTuple):
    """What to answer, after `seconds`."""

    body: str = ""
    headers: Mapping[str, str] = {}
    status: int = 200
    seconds: float = 0.0


class Upstream:
    """`respond` is called with the path; `requests` has what came, in order."""

    def __init__(self, respond: Callable[[str], Response], *, port: int = 0) -> None:
        self.respond = respond
        self.requests: list[Request] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream.requests.append(Request(self.command, self.path, dict(self.headers), time.time()))
                response = upstream.respond(self.path)
                time.sleep(response.seconds)
                body = response.body.encode()
                self.send_response(response.status)
                for name, value in {"Content-Length": str(len(body)), **response.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = serve  # noqa: N815 http.server's names

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 http.server's name
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_port

    def __enter__(self) -> Self:
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
