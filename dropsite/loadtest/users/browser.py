"""Simulated browsers: a cookie jar each, one connection pool for all, every response counted.

    Site ── one per rehearsal: the shop's origin, the connections, the count of responses, the deadline
    Browser ── one per shopper: cookies, and the retries of a page that tries again after an error

No response, 429 and 5xx are retried. Every request may be sent twice: the shop's POSTs are safe to repeat.
"""

import asyncio
import contextlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from random import Random
from time import monotonic
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import aiohttp
from multidict import CIMultiDictProxy

from dropsite.loadtest.users.addresses import Addresses

RETRIED_STATUSES = frozenset({429, 500, 502, 503, 504})
NO_RESPONSE = "no answer"
MAX_CONNECTIONS = 128
MAX_BURST_CONNECTIONS = 2000  # each takes two of the edge's, of which a worker has 4096 by default
KEEPALIVE_SECONDS = 20
TIMEOUT_SECONDS = 15.0
MAX_PAUSE_SECONDS = 10.0  # between two tries
MAX_RETRY_SECONDS = 120.0  # for one response: a server that was killed is back long before
BACKOFF_FACTOR = 1.5
MAX_EXAMPLES = 5  # paths kept of requests that got a 500
# The part of a path that names one drop, hold, order or waiting room; counts are kept without it.
IDENTIFIER = re.compile(r"(?<=/drops/|/holds/)[^/]+|(?<=/orders/)[^/]+|(?<=/line/)[^/]+")
NO_HEADERS: Mapping[str, str] = {}
HTML_ACCEPT = "text/html,application/xhtml+xml,*/*;q=0.8"
JSON_ACCEPT = "application/json"


class OutOfTime(Exception):
    """The rehearsal's time is over."""


class UnexpectedPage(Exception):
    """A response was not what a shopper may expect; the message says what it was."""


@dataclass(frozen=True)
class Response:
    """One response, read completely."""

    status: int
    headers: CIMultiDictProxy[str]
    url: str
    text: str

    @property
    def ok(self) -> bool:
        return self.status < 400

    def json(self) -> Any:
        """Raises: UnexpectedPage."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise UnexpectedPage(f"{urlsplit(self.url).path} answered {self.status} without JSON") from None

    def retry_after(self, default: float) -> float:
        """Return the seconds to wait, as the shop asks for, bounded; `default` if it doesn't ask."""
        value = self.headers.get("Retry-After", "")
        if not value.isdigit():
            return default
        return min(float(value), MAX_PAUSE_SECONDS)


@dataclass
class Site:
    """The shop as its visitors see it. `deadline` is on the monotonic clock."""

    origin: str
    deadline: float
    connections: int = MAX_CONNECTIONS
    responses: Counter[str] = field(default_factory=Counter)  # by status
    routes: Counter[str] = field(default_factory=Counter)  # by method, path and status
    examples: dict[str, list[str]] = field(default_factory=dict)  # {"500": paths}
    client: aiohttp.ClientSession = field(init=False)

    async def __aenter__(self) -> Self:
        self.client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self.connections,
                keepalive_timeout=KEEPALIVE_SECONDS,
                socket_factory=Addresses().open_socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
            headers={"User-Agent": "Dropsite rehearsal", "Accept-Encoding": "gzip"},
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.client.close()

    async def sleep(self, seconds: float) -> None:
        """Raises: OutOfTime, at once, if the sleep would pass the deadline."""
        if monotonic() + seconds > self.deadline:
            raise OutOfTime
        await asyncio.sleep(seconds)

    def record(self, response: Response | None, method: str, path: str) -> None:
        """Count a response, or the lack of one."""
        status = NO_RESPONSE
        if response:
            status = str(response.status)
        self.responses[status] += 1
        self.routes[f"{method} {IDENTIFIER.sub('…', path)} {status}"] += 1
        if response and response.status == 500:
            paths = self.examples.setdefault(status, [])
            if len(paths) < MAX_EXAMPLES and path not in paths:
                paths.append(path)


@dataclass
class Browser:
    """One shopper's browser."""

    site: Site
    rng: Random
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> Response:
        """Raises: OutOfTime, UnexpectedPage."""
        return await self.request("GET", path)

    async def post(
        self, path: str, data: Mapping[str, str], *, page: str = "/", script: bool = False
    ) -> Response:
        """Send a form of this site from `page`; `script` if the page's script sends it.

        Raises: OutOfTime, UnexpectedPage.
        """
        headers = {
            "Origin": self.site.origin,
            "Sec-Fetch-Site": "same-origin",
            "Referer": urljoin(self.site.origin, page),
            "Accept": HTML_ACCEPT,
        }
        if script:
            headers["Accept"] = JSON_ACCEPT
        return await self.request("POST", path, data=data, headers=headers)

    async def request(
        self,
        method: str,
        path: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Response:
        """Send the request until a response comes that needs no retry. Redirects are not followed.

        Raises: OutOfTime, UnexpectedPage.
        """
        started = monotonic()
        tries = 0
        while monotonic() - started < MAX_RETRY_SECONDS:
            response = await self.request_once(method, path, data, headers)
            if response and response.status not in RETRIED_STATUSES:
                return response
            pause = min(MAX_PAUSE_SECONDS, BACKOFF_FACTOR**tries)
            if response:
                pause = response.retry_after(pause)
            tries += 1
            await self.site.sleep(pause * self.rng.uniform(0.8, 1.2))
        raise UnexpectedPage(f"{path} had no good response in {MAX_RETRY_SECONDS:.0f} s")

    async def request_once(
        self,
        method: str,
        path: str,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> Response | None:
        """Send the request once; None if no response came."""
        url = urljoin(self.site.origin, path)
        is_own_site = url.startswith(f"{self.site.origin}/")
        sent = dict(headers)
        if is_own_site and self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        response = None
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self.site.client.request(
                method, url, data=data, headers=sent, allow_redirects=False
            ) as received:
                text = await received.text(errors="replace")
                response = Response(received.status, received.headers, url, text)
        if response and is_own_site:
            self._store_cookies(response.headers.getall("Set-Cookie", []))
        self.site.record(response, method, urlsplit(url).path)
        return response

    def _store_cookies(self, headers: list[str]) -> None:
        for header in headers:
            with contextlib.suppress(CookieError):
                for name, morsel in SimpleCookie(header).items():
                    if morsel["max-age"] in {"0", 0} or not morsel.value:
                        self.cookies.pop(name, None)
                    else:
                        self.cookies[name] = morsel.value
