"""What the gate sends back: JSON, problem details, pages, redirects, and the cookies of a line."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from drops.waitingroom.gate.requests import Send

Header = tuple[bytes, bytes]

TICKET_DAYS = 7
NO_STORE = (b"cache-control", b"no-store")
ALWAYS: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]


@dataclass(slots=True)
class Response:
    """A whole answer; its length is added when it is sent."""

    status: int
    headers: list[Header]
    body: bytes = b""
    cookies: list[str] = field(default_factory=list)


async def deliver(answer: Response, send: Send, *, head_only: bool) -> None:
    """Send it, without its body if the request was HEAD."""
    headers = [*ALWAYS, *answer.headers, (b"content-length", b"%d" % len(answer.body))]
    headers += [(b"set-cookie", cookie.encode()) for cookie in answer.cookies]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head_only else answer.body})


def data(body: Mapping[str, Any]) -> Response:
    """A private JSON answer."""
    return Response(200, [(b"content-type", b"application/json"), NO_STORE], json.dumps(body).encode())


def problem(status: int, detail: str, *, retry: int | None = None, **members: Any) -> Response:
    """Problem details (RFC 9457), as shop.core.problems writes them; `retry` seconds also go into Retry-After."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail} | members
    headers: list[Header] = [(b"content-type", b"application/problem+json"), NO_STORE]
    if retry is not None:
        headers.append(_retry_after(retry))
        body["retry"] = retry
    return Response(status, headers, json.dumps(body).encode())


def page(status: int, html: str, *, style_source: str, retry: int | None = None, refresh: str = "") -> Response:
    """A private page. Its CSP admits no script, and of style only the shop's own and the element of `style_source`."""
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


def redirect(path: str) -> Response:
    """303: look there with GET."""
    return Response(303, [(b"location", path.encode()), NO_STORE])


def _retry_after(seconds: int) -> Header:
    return b"retry-after", b"%d" % seconds


def cookie(name: str, value: str, *, seconds: int, secure: bool, readable: bool = False) -> str:
    """A Set-Cookie header's value."""
    flags = ("; Secure" if secure else "") + ("" if readable else "; HttpOnly")
    return f"{name}={value}; Path=/; Max-Age={seconds}; SameSite=Lax{flags}"
