"""Signed HTTP to addresses that somebody typed in: ops' webhook, and scale targets behind a webhook.

Calls are signed as Standard Webhooks are, so that any of their libraries can verify them. They are safe
against the address: https only (plain http in the demo); redirects are not followed; a private address is
refused unless its host is in SCALING_PRIVATE_HOSTS; the name is looked up once, and the call connects to the
very addresses that were checked; time and size are limited in total, so that a receiver that hangs or
trickles can't block a worker. No proxy is used.

docs/decisions/0011 says why this is not libcurl.
"""

import base64
import binascii
import hashlib
import hmac
import http.client
import ipaddress
import json
import socket
import ssl
import string
import threading
import time
import uuid
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

CALL_SECONDS = 10.0  # from looking up the name to the last byte
MAX_RESPONSE_BYTES = 64 * 1024
MAX_URL_LENGTH = 2000
PORTS = {"https": 443, "http": 80}
KEY_CHARACTERS = frozenset(
    string.ascii_letters + string.digits + "-_:"
)  # no dot: it separates what is signed
# Networks whose addresses carry an IPv4 address in their last 4 bytes: NAT64, IPv4-compatible.
EMBEDDING_NETWORKS = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))

Address = tuple[socket.AddressFamily, tuple[Any, ...]]


class OutboundError(Exception):
    """No response came. The text is a sentence: what happened, and what to do."""


class AddressBlocked(OutboundError):
    """The call was not sent, or was redirected, and will fail again until somebody acts."""


class NoResponse(OutboundError):
    """Whether the call arrived is unknown: time-out, connection lost, garbage.

    Repeat it with the same key.
    """


@dataclass(frozen=True)
class Response:
    """The receiver's response, of any status but a redirect."""

    status: int
    body: bytes = b""
    request_id: str = ""
    milliseconds: int = 0

    def json(self) -> Any:
        """Return the body, parsed. Raises NoResponse."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise NoResponse(
                f"The receiver answered {self.status} with something that isn't JSON."
            ) from error


def post(*, url: str, body: bytes, secret: str, key: str, seconds: float = CALL_SECONDS) -> Response:
    """Send `body`, which is JSON, signed. A repeat of a call has the same `key`. Raises OutboundError."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    headers |= _signed(body=body, secret=secret, key=key)
    return _send(method="POST", url=url, body=body, headers=headers, seconds=seconds)


def get(*, url: str, secret: str, seconds: float = CALL_SECONDS) -> Response:
    """Fetch `url`, signed over an empty body, so that the receiver knows the caller. Raises OutboundError."""
    headers = _signed(body=b"", secret=secret, key=uuid.uuid4().hex)
    return _send(method="GET", url=url, body=None, headers=headers, seconds=seconds)


def sign(*, secret: str, key: str, at: int, body: bytes) -> str:
    """Return the header `webhook-signature` (standardwebhooks.com).

    Raises AddressBlocked without a secret.
    """
    signed = b"%s.%d.%s" % (key.encode(), at, body)
    return "v1," + base64.b64encode(hmac.digest(_secret_bytes(secret), signed, hashlib.sha256)).decode()


def check(*, url: str) -> SplitResult:
    """Check an address without looking it up; return its parts. Raises AddressBlocked."""
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > MAX_URL_LENGTH:
        raise AddressBlocked("This isn't a web address: use ASCII without spaces, at most 2,000 characters.")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, port(parts)
    except ValueError as error:
        raise AddressBlocked(f"This isn't a web address: {error}.") from error
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.DEMO):
        raise AddressBlocked("The address must begin with https://.")
    if not host:
        raise AddressBlocked("The address names no host.")
    if "@" in parts.netloc:
        raise AddressBlocked(
            "The address must not contain a user name or password: calls are signed instead."
        )
    return parts


def port(parts: SplitResult) -> int:
    """Return the port that an address means. Raises ValueError."""
    return parts.port or PORTS.get(parts.scheme, 0)


def is_public(address: str) -> bool:
    """Whether an IP address, and one embedded in it, may be called without its host being allowed by name."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if any(ip in network for network in EMBEDDING_NETWORKS):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
        if ip.is_site_local:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _secret_bytes(secret: str) -> bytes:
    """Return the key that a secret means: whsec_ and base64, or any text as it is."""
    if not secret:
        raise AddressBlocked("There is no secret to sign with.")
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error as error:
        raise AddressBlocked("The secret begins with whsec_, but no base64 follows.") from error


def _signed(*, body: bytes, secret: str, key: str) -> dict[str, str]:
    """Return the headers that sign a call."""
    if not key or not KEY_CHARACTERS.issuperset(key):
        raise ValueError(f"a key is letters, digits, - _ and : only, not {key!r}")
    at = int(time.time())
    return {
        "webhook-id": key,
        "webhook-timestamp": str(at),
        "webhook-signature": sign(secret=secret, key=key, at=at, body=body),
    }


def _send(*, method: str, url: str, body: bytes | None, headers: dict[str, str], seconds: float) -> Response:
    """Make one call. Raises OutboundError."""
    parts = check(url=url)
    headers = {
        "Host": parts.netloc,
        "User-Agent": "dropsite-scaling/1",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Cache-Control": "no-cache",
        "Connection": "close",
        **headers,
    }
    call = _Call(method=method, parts=parts, body=body, headers=headers, until=time.monotonic() + seconds)
    # A look-up has no time limit, and a socket's starts again with each byte; a thread can be left behind.
    threading.Thread(target=call.run, name="outbound call", daemon=True).start()
    try:
        return call.future.result(timeout=seconds)
    except TimeoutError as error:
        raise NoResponse(f"{parts.hostname} gave no complete response in {seconds} seconds.") from error
    finally:
        call.abort()


@dataclass
class _Call:
    """One call, as it is made in a thread of its own."""

    method: str
    parts: SplitResult
    body: bytes | None
    headers: dict[str, str]
    until: float
    future: Future[Response] = field(default_factory=Future)
    sock: socket.socket | None = None

    def run(self) -> None:
        """Make the call, and pass on the response or the exception."""
        try:
            self.future.set_result(self._call())
        except Exception as error:  # noqa: BLE001  # it is raised again in the caller's thread
            self.future.set_exception(error)

    def abort(self) -> None:
        """End what is still going on, from the caller's thread: a read that waits returns at once."""
        self.until = 0.0
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

    def _call(self) -> Response:
        begun = time.monotonic()
        host = self.parts.hostname or ""
        try:
            with closing(self._connect()) as sock:
                status, headers, body = self._exchange(sock)
        except TimeoutError:
            raise  # the caller says that the time is over
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoResponse(
                f"{host} lost the connection, or sent something that isn't HTTP ({type(error).__name__})."
            ) from error
        if 300 <= status < 400:
            location = "".join(letter for letter in headers.get("location", "") if letter.isprintable())[:80]
            raise AddressBlocked(
                f"{host} answered {status} and points to “{location}”. "
                "Redirects are not followed: enter the final address."
            )
        return Response(
            status=status,
            body=body,
            request_id=headers.get("x-request-id", "")[:100],
            milliseconds=int((time.monotonic() - begun) * 1000),
        )

    def _exchange(self, sock: socket.socket) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Send the request and read the whole response: status, headers, body."""
        path = self.parts.path or "/"
        if self.parts.query:
            path += f"?{self.parts.query}"
        connection = http.client.HTTPConnection(self.parts.hostname or "")
        connection.sock = sock  # connected already, so that it doesn't look the name up again
        connection.request(self.method, path, body=self.body, headers=self.headers)
        with connection.getresponse() as response:
            body = response.read(MAX_RESPONSE_BYTES + 1)
            if len(body) > MAX_RESPONSE_BYTES:
                raise NoResponse(f"{self.parts.hostname} answered with more than 64 KiB.")
            if response.length:
                raise http.client.IncompleteRead(body, response.length)
            return response.status, response.headers, body

    def _connect(self) -> socket.socket:
        """Connect to one of the host's addresses, with TLS for https. Raises OutboundError, TimeoutError."""
        host, addresses = self.parts.hostname or "", self._addresses()
        failure: OSError | None = None
        for number, (family, address) in enumerate(addresses):
            # Kept with the call at each stage, so that abort() can end it.
            sock = self.sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.settimeout(self._left() / (len(addresses) - number))
                sock.connect(address)
                sock.settimeout(self._left())
                if self.parts.scheme == "https":
                    context = ssl.create_default_context()
                    sock = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
                    self.sock = sock
                    sock.do_handshake()
                self._left()  # a call that was given up must not be sent any more
                return sock
            except ssl.SSLCertVerificationError as error:
                sock.close()
                fault = error.verify_message or error.reason
                raise AddressBlocked(f"The certificate of {host} can't be trusted: {fault}.") from error
            except OSError as error:
                sock.close()
                failure = error
        if isinstance(failure, TimeoutError):
            raise failure
        reason = getattr(failure, "strerror", "") or failure
        raise NoResponse(f"{host} can't be reached: {reason}.") from failure

    def _addresses(self) -> list[Address]:
        """Look the host up, once.

        Raises AddressBlocked for a private address of a host that isn't allowed.
        """
        host = self.parts.hostname or ""
        try:
            rows = socket.getaddrinfo(host, port(self.parts), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NoResponse(
                f"The name {host} can't be looked up. Is it spelt correctly, and does this machine have DNS?"
            ) from error
        addresses: list[Address] = [(row[0], row[4]) for row in rows]
        if host not in settings.SCALING_PRIVATE_HOSTS:
            for _family, address in addresses:
                if not is_public(str(address[0])):
                    raise AddressBlocked(
                        f"{host} is the private address {address[0]}. "
                        "If that is right, add the host to SCALING_PRIVATE_HOSTS."
                    )
        return addresses

    def _left(self) -> float:
        """Return the seconds that are left. Raises TimeoutError."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left
