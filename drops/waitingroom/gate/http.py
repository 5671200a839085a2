"""HTTP as the gate needs it: a request's headers, cookies and form; responses, and a drop's cookies.

By hand, without a framework, because this is the hot path: a whole join costs 74–121 µs of a process's CPU,
to which a framework's routing, request and response objects would be added each time. Nothing is parsed
before it is used.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Header = tuple[bytes, bytes]

MAX_FORM_BYTES = 4096
NO_STORE: Header = (b"cache-control", b"no-store")
COMMON_HEADERS: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]


class BodyTooLong(Exception):
    """The body is longer than any of our forms."""


class Request:
    """One HTTP request."""

    __slots__ = ("headers", "method", "query", "receive")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.query: bytes = scope.get("query_string", b"")
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive = receive

    def header(self, name: bytes) -> str:
        """Return a header, empty if it is absent. `name` is in lower case."""
        return self.headers.get(name, b"").decode("latin-1")

    def cookie(self, name: str) -> str:
        """Return a cookie's value, empty if it is absent."""
        wanted = f"{name}="
        for pair in self.header(b"cookie").split(";"):
            stripped = pair.strip()
            if stripped.startswith(wanted):
                return stripped[len(wanted) :]
        return ""

    @property
    def wants_json(self) -> bool:
        """Whether a script sent the request: a browser that shows the response accepts text/html."""
        return b"application/json" in self.headers.get(b"accept", b"") and not self.wants_html

    @property
    def wants_html(self) -> bool:
        """Whether a browser asks for a page, rather than a script for a document."""
        return b"text/html" in self.headers.get(b"accept", b"")

    def is_from(self, origin: str) -> bool:
        """Whether a page of the shop sent it: browsers say so in Sec-Fetch-Site, older ones in Origin."""
        site = self.headers.get(b"sec-fetch-site")
        if site is not None:
            return site == b"same-origin"
        return self.header(b"origin") == origin

    async def form(self) -> dict[str, str]:
        """Return the fields of a form post; empty for any other body. Raises: BodyTooLong."""
        if not self.headers.get(b"content-type", b"").startswith(b"application/x-www-form-urlencoded"):
            return {}
        body = b""
        while True:
            message = await self.receive()
            body += message.get("body", b"")
            if len(body) > MAX_FORM_BYTES:
                raise BodyTooLong
            if not message.get("more_body"):
                return dict(parse_qsl(body.decode("latin-1")))


@dataclass(slots=True)
class Response:
    """A whole response; its length is added when it is sent."""

    status: int
    headers: list[Header]
    body: bytes = b""
    cookies: list[str] = field(default_factory=list)


async def send_response(response: Response, send: Send, *, head_only: bool) -> None:
    """Send a response, without its body if the request was HEAD."""
    headers = [*COMMON_HEADERS, *response.headers, (b"content-length", b"%d" % len(response.body))]
    headers += [(b"set-cookie", cookie.encode()) for cookie in response.cookies]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head_only else response.body})


def json_response(body: Mapping[str, Any], *, status: int = 200) -> Response:
    """Return a private JSON response."""
    return Response(status, [(b"content-type", b"application/json"), NO_STORE], json.dumps(body).encode())


def problem(status: int, detail: str, *, retry: int | None = None, **members: Any) -> Response:
    """Return problem details (RFC 9457), as shop.core.problems does. `retry` is also sent as Retry-After."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    } | members
    headers: list[Header] = [(b"content-type", b"application/problem+json"), NO_STORE]
    if retry is not None:
        headers.append(_retry_after(retry))
        body["retry"] = retry
    return Response(status, headers, json.dumps(body).encode())


def page(
    status: int, html: str, *, style_source: str, retry: int | None = None, refresh: str = ""
) -> Response:
    """Return a private page.

    Its CSP allows no script, and of styles only the shop's own and that of `style_source`.
    """
    policy = (
        f"default-src 'none'; style-src 'self' {style_source}; font-src 'self'; img-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    headers: list[Header] = [
        (b"content-type", b"text/html; charset=utf-8"),
        NO_STORE,
        (b"content-security-policy", policy.encode()),
        (b"cross-origin-opener-policy", b"same-origin"),
    ]
    if retry is not None:
        headers.append(_retry_after(retry))
    if refresh:
        headers.append((b"refresh", refresh.encode()))
    return Response(status, headers, html.encode())


def cacheable(response: Response, seconds: int) -> Response:
    """Let the edge keep a response that is the same for everybody who asks for the same format."""
    kept = [header for header in response.headers if header != NO_STORE]
    headers = [cache_control(seconds), (b"vary", b"Accept")]
    return Response(response.status, [*kept, *headers], response.body)


def cache_control(seconds: int, *, stale: int | None = None) -> Header:
    """Return the header that lets the edge keep a response, and serve it for `stale` seconds past its end.

    None leaves that to the edge.
    """
    value = f"public, s-maxage={seconds}"
    if stale is not None:
        value += f", stale-while-revalidate={stale}"
    return b"cache-control", value.encode()


def redirect(path: str, *, status: int = 303) -> Response:
    """Return a 303: the browser goes on with a GET of `path`. With 307 it sends the same request there."""
    return Response(status, [(b"location", path.encode()), NO_STORE])


def _retry_after(seconds: int) -> Header:
    return b"retry-after", b"%d" % seconds


def set_cookie(name: str, value: str, *, seconds: int, secure: bool, readable: bool = False) -> str:
    """Return a Set-Cookie header's value. Scripts may read the cookie if it is `readable`."""
    attributes = ["Path=/", f"Max-Age={seconds}", "SameSite=Lax"]
    if secure:
        attributes.append("Secure")
    if not readable:
        attributes.append("HttpOnly")
    return "; ".join([f"{name}={value}", *attributes])
