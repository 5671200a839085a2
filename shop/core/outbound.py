"""Signed HTTP to addresses that somebody typed in: ops' webhook, and targets that are scaled by webhook.

Signed as Standard Webhooks are, so that any of their libraries verifies it. Safe against the address: https only
(plain http in the demo), no redirect is followed, a private address is refused unless its host is in
SCALING_PRIVATE_HOSTS, the name is looked up once and what was checked is what is connected to, and time and size are
bounded all in all, so that neither a receiver that hangs nor one that trickles keeps a worker. No proxy is used.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import io
import ipaddress
import json
import queue
import socket
import ssl
import string
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

SECONDS = 10.0  # for one call, from looking up the name to the last byte
LONGEST_ANSWER = 64 * 1024  # bytes
LONGEST_URL = 2000
PORTS = {"https": 443, "http": 80}
KEY_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-_:")  # no dot: it parts what is signed
TRANSLATED = (
    ipaddress.ip_network("64:ff9b::/96"),
    ipaddress.ip_network("::/96"),
)  # an IPv4 address in the last 4 bytes

Address = tuple[socket.AddressFamily, tuple[Any, ...]]


class Failed(Exception):
    """No answer came; the text is a sentence: what happened, and what to do."""


class AddressBlocked(Failed):
    """It was not sent, or sent back elsewhere, and will be again until somebody acts."""


class NoResponse(Failed):
    """Nobody can tell whether it arrived: time-out, broken off, garbage. Ask again with the same key."""


@dataclass(frozen=True)
class Response:
    """What the receiver answered: any status but a redirect."""

    status: int
    body: bytes = b""
    request_id: str = ""
    milliseconds: int = 0

    def json(self) -> Any:
        """Read the body as JSON. Raises: Unanswered."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise NoResponse(
                _("The receiver answered %(status)s with something that is not JSON.") % {"status": self.status}
            ) from error


def post(*, url: str, body: bytes, secret: str, key: str, seconds: float = SECONDS) -> Response:
    """Send `body`, JSON, signed. The same `key` says that it is the same demand. Raises: Failed."""
    return _send(method="POST", url=url, body=body, secret=secret, key=key, seconds=seconds)


def get(*, url: str, secret: str, seconds: float = SECONDS) -> Response:
    """Ask for what is at `url`, with a signature over nothing, so that the receiver knows who asks. Raises: Failed."""
    return _send(method="GET", url=url, body=b"", secret=secret, key=uuid.uuid4().hex, seconds=seconds)


def sign(*, secret: str, key: str, at: int, body: bytes) -> str:
    """Give the header `webhook-signature` (standardwebhooks.com, symmetric). Raises: Barred if there is no secret."""
    signed = b"%s.%d.%s" % (key.encode(), at, body)
    return "v1," + base64.b64encode(hmac.digest(_bytes(secret), signed, hashlib.sha256)).decode()


def check(*, url: str) -> SplitResult:
    """Look at an address without a look-up; its parts. Raises: Barred."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > LONGEST_URL:
        raise AddressBlocked(
            _("This is no web address: write it in ASCII, without spaces, in at most 2,000 characters.")
        )
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, port(parts)
    except ValueError as error:
        raise AddressBlocked(_("This is no web address: %(error)s.") % {"error": error}) from error
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.DEMO):
        raise AddressBlocked(_("The address must begin with https://."))
    if not host:
        raise AddressBlocked(_("The address names no host."))
    if "@" in parts.netloc:
        raise AddressBlocked(_("The address may hold no name or password: the call is signed instead."))
    return parts


def port(parts: SplitResult) -> int:
    """Give the port that an address means. Raises: ValueError."""
    return parts.port or PORTS.get(parts.scheme, 0)


def is_public(address: str) -> bool:
    """Whether an IP address may be called without being allowed by name. An address within an address counts."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if any(ip in network for network in TRANSLATED):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _bytes(secret: str) -> bytes:
    """Give the key that a secret means: whsec_ and base64, or any text as it is."""
    if not secret:
        raise AddressBlocked(_("There is no secret to sign with."))
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise AddressBlocked(_("The secret begins with whsec_, but no base64 follows.")) from error


def _send(*, method: str, url: str, body: bytes, secret: str, key: str, seconds: float) -> Response:
    """Make one call. Raises: Failed."""
    begun = time.monotonic()
    parts, until = check(url=url), begun + seconds
    headers = _headers(host=parts.netloc, body=body, secret=secret, key=key)
    if method == "GET":
        del headers["Content-Type"], headers["Idempotency-Key"]
    try:
        with closing(_connect(parts=parts, until=until)) as line:
            status, said, answer = _talk(line, method, parts, body=body, headers=headers)
    except TimeoutError as error:
        raise NoResponse(
            _("%(host)s gave no whole answer in %(seconds)s seconds.") % {"host": parts.hostname, "seconds": seconds}
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoResponse(
            _("%(host)s broke off, or answered something that is not HTTP (%(error)s).")
            % {"host": parts.hostname, "error": type(error).__name__}
        ) from error
    _refuse_redirect(parts=parts, status=status, to=said.get("location", ""))
    return Response(
        status=status,
        body=answer,
        request_id=said.get("x-request-id", "")[:100],
        milliseconds=int((time.monotonic() - begun) * 1000),
    )


def _headers(*, host: str, body: bytes, secret: str, key: str) -> dict[str, str]:
    if not key or not KEY_CHARACTERS.issuperset(key):
        raise ValueError(f"a key is letters, digits, - _ and : only, not {key!r}")
    at = int(time.time())
    return {
        "Host": host,
        "User-Agent": "dropsite-scaling/1",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Cache-Control": "no-cache",
        "Connection": "close",
        "Content-Type": "application/json",
        "Idempotency-Key": key,
        "webhook-id": key,
        "webhook-timestamp": str(at),
        "webhook-signature": sign(secret=secret, key=key, at=at, body=body),
    }


def _refuse_redirect(*, parts: SplitResult, status: int, to: str) -> None:
    """Say that a redirect is not followed, wherever it leads. Raises: Barred."""
    if 300 <= status < 400:
        shown = "".join(letter for letter in to if letter.isprintable())[:80]
        raise AddressBlocked(
            _("%(host)s answered %(status)s and points to “%(to)s”. Redirects are not followed: put in where it ends.")
            % {"host": parts.hostname, "status": status, "to": shown}
        )


class _Line:
    """A connection of which every read and write ends when the whole call must."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        self.sock, self.until = sock, until

    def sendall(self, data: bytes) -> None:
        self.sock.settimeout(_left(self.until))
        self.sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        self.sock.close()


class _Reader(io.RawIOBase):
    def __init__(self, line: _Line) -> None:
        self.line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.line.sock.settimeout(_left(self.line.until))
        return self.line.sock.recv_into(buffer)


def _left(until: float) -> float:
    """Give the seconds that are left. Raises: TimeoutError."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _talk(
    line: _Line, method: str, parts: SplitResult, *, body: bytes, headers: dict[str, str]
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send the request and read the whole answer: status, headers, body. Raises: Unanswered, OSError, HTTPException."""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(http.client.HTTPConnection(parts.hostname or "")) as connection:
        connection.sock = line
        connection.request(method, path, body=body if method == "POST" else None, headers=headers)
        with connection.getresponse() as response:
            answer = response.read(LONGEST_ANSWER + 1)
            if len(answer) > LONGEST_ANSWER:
                raise NoResponse(_("%(host)s answered more than 64 KiB.") % {"host": parts.hostname})
            if response.length:
                raise http.client.IncompleteRead(answer, response.length)
            return response.status, response.headers, answer


def _connect(*, parts: SplitResult, until: float) -> _Line:
    """Connect to the host, at an address that was looked at, with TLS for https. Raises: Failed, TimeoutError."""
    host, found = parts.hostname or "", _addresses(parts=parts, until=until)
    fault: OSError | None = None
    for number, (family, address) in enumerate(found):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(_left(until) / (len(found) - number))
            sock.connect(address)
            if parts.scheme == "https":
                sock.settimeout(_left(until))
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
            return _Line(sock, until)
        except ssl.SSLCertVerificationError as error:
            sock.close()
            raise AddressBlocked(
                _("The certificate of %(host)s can't be trusted: %(error)s.")
                % {"host": host, "error": error.verify_message or error.reason}
            ) from error
        except OSError as error:
            sock.close()
            fault = error
    if isinstance(fault, TimeoutError):
        raise fault
    raise NoResponse(
        _("%(host)s can't be reached: %(error)s.") % {"host": host, "error": getattr(fault, "strerror", "") or fault}
    ) from fault


def _addresses(*, parts: SplitResult, until: float) -> list[Address]:
    """Look the host up, once. Raises: Barred if one of its addresses is private and the host is not allowed."""
    host = parts.hostname or ""
    found = _look_up(host=host, number=port(parts), until=until)
    if host not in settings.SCALING_PRIVATE_HOSTS:
        for _family, address in found:
            if not is_public(address[0]):
                raise AddressBlocked(
                    _("%(host)s is the private address %(address)s. If that is right, add it to SCALING_PRIVATE_HOSTS.")
                    % {"host": host, "address": address[0]}
                )
    return found


def _look_up(*, host: str, number: int, until: float) -> list[Address]:
    """Look the host up, in a thread, for no look-up can be told to hurry. Raises: Unanswered, TimeoutError."""
    answers: queue.SimpleQueue[list[Address] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)
            answers.put([(row[0], row[4]) for row in rows])
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    try:
        answer = answers.get(timeout=_left(until))
    except queue.Empty as error:
        raise TimeoutError from error
    if isinstance(answer, Exception):
        raise NoResponse(
            _("The name %(host)s can't be looked up. Is it spelt right, and does this machine have DNS?")
            % {"host": host}
        ) from answer
    return answer
