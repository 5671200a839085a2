"""A tier behind the edge, played by a test, which sets its answers and reads its requests."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NamedTuple, Self

from tests.servers import QuietHandler, ThreadedServer


class Request(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    at: float


class Response(NamedTuple):
    """An answer, sent after `seconds`."""

    body: str = ""
    headers: Mapping[str, str] = {}
    status: int = 200
    seconds: float = 0.0


class Upstream(ThreadedServer):
    """`respond` is called with the path; `requests` are those received, in order."""

    def __init__(self, respond: Callable[[str], Response], *, port: int = 0) -> None:
        self.respond = respond
        self.requests: list[Request] = []
        upstream = self

        class Handler(QuietHandler):
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
                with suppress(BrokenPipeError):  # the edge has given up
                    self.end_headers()
                    self.wfile.write(body)

            do_GET = do_POST = serve  # noqa: N815 http.server's names

        super().__init__(Handler, port=port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
