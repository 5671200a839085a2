"""A request as the gate needs it: a few headers, cookies, a small form. Nothing is parsed before it is asked for."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LONGEST_FORM = 4096  # bytes


class TooLong(Exception):
    """The body is longer than any form of ours."""


class Request:
    """One HTTP request."""

    __slots__ = ("headers", "method", "receive")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive = receive

    def header(self, name: bytes) -> str:
        """A header, its name in lower case; empty if it is absent."""
        return self.headers.get(name, b"").decode("latin-1")

    def cookie(self, name: str) -> str:
        """A cookie's value; empty if it is absent."""
        wanted = f"{name}="
        for pair in self.header(b"cookie").split(";"):
            stripped = pair.strip()
            if stripped.startswith(wanted):
                return stripped[len(wanted) :]
        return ""

    @property
    def wants_json(self) -> bool:
        """Whether a script asks; a browser that shows the answer names text/html."""
        accept = self.headers.get(b"accept", b"")
        return b"application/json" in accept and b"text/html" not in accept

    def is_from(self, origin: str) -> bool:
        """Whether a page of the shop sent it: browsers say so in Sec-Fetch-Site, older ones in Origin."""
        site = self.headers.get(b"sec-fetch-site")
        if site is not None:
            return site == b"same-origin"
        return self.header(b"origin") == origin

    async def form(self) -> dict[str, str]:
        """Read the fields of a form post; empty for any other body. Raises: TooLong."""
        if not self.headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
            return {}
        body = b""
        while True:
            message = await self.receive()
            body += message.get("body", b"")
            if len(body) > LONGEST_FORM:
                raise TooLong
            if not message.get("more_body"):
                return dict(parse_qsl(body.decode("latin-1")))
