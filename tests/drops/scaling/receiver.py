"""A receiver of signed webhooks over HTTP that verifies what it is sent, and that can misbehave.

It verifies as standardwebhooks.com describes, without any of the shop's code.
"""

import base64
import hashlib
import hmac
import json
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
TOLERANCE = 300  # seconds


@dataclass
class Receiver:
    """Scales something.

    `manner`: "works", "hangs", "trickles", "breaks off", or the bytes of its response.
    """

    manner: str | bytes = "works"
    size: int = 2
    serving: int = 2
    moving: bool = False
    deaf: bool = False  # accepts, but does nothing
    secret: str = SECRET
    told: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    status: dict[str, Any] | None = None  # a status document to return instead of the true one
    over: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/scale"

    @property
    def status_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/status"

    def catch_up(self) -> None:
        """Make the applied size serve."""
        self.serving, self.moving = self.size, False

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, Any]]:
        """Answer one request as a careful receiver would."""
        if not is_signed(headers, body, self.secret):
            return 401, {"detail": "The signature does not verify."}
        if method == "GET" and path == "/status":
            truth = {
                "size": self.size,
                "serving": self.serving,
                "moving": self.moving,
                "words": "all in one zone",
            }
            return 200, truth if self.status is None else self.status
        if method != "POST" or path != "/scale":
            return 404, {"detail": "There is nothing here."}
        said, key = json.loads(body), headers["idempotency-key"]
        if said["url"] != self.url or headers["webhook-id"] != key:
            return 422, {"detail": "This was meant for somebody else."}
        self.told.append(said)
        if key not in self.keys and not self.deaf:
            self.size, self.moving = said["size"], True
        self.keys.append(key)
        return 202, {"accepted": True}


def is_signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """Whether a request has a valid signature of the last few minutes."""
    at, key = headers.get("webhook-timestamp", "0"), headers.get("webhook-id", "")
    signed = f"{key}.{at}.".encode() + body
    mac = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(mac).decode()
    fresh = abs(time.time() - int(at)) < TOLERANCE
    return fresh and any(
        hmac.compare_digest(expected, one) for one in headers.get("webhook-signature", "").split()
    )


def http(status: int, body: bytes, **headers: str) -> bytes:
    """Return the bytes of a response."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@contextmanager
def serve(receiver: Receiver) -> Iterator[Receiver]:
    """Serve the receiver on a free port of this machine."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            method, path, _version = self.rfile.readline().decode().split(" ", 2)
            headers = {}
            while line := self.rfile.readline().strip():
                name, _colon, value = line.decode().partition(":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", 0)))
            receiver.requests.append((method, path, headers))
            if receiver.manner == "hangs":
                receiver.over.wait(30)
            elif receiver.manner == "trickles":
                self.trickle()
            elif isinstance(receiver.manner, bytes):
                self.wfile.write(receiver.manner)
            elif receiver.manner == "works":
                status, said = receiver.answer(method, path, headers, body)
                self.wfile.write(http(status, json.dumps(said).encode(), X_Request_Id="request-7"))

        def trickle(self) -> None:
            """Respond forever, one byte at a time, each within the time-out."""
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not receiver.over.wait(0.02):
                    self.wfile.write(b"x")
            except OSError:
                pass  # the caller has gone

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.over.set()
        server.shutdown()
        server.server_close()
        thread.join()
