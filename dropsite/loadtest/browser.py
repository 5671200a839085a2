"""Simulated browsers: a cookie jar each, one pool of connections for all, every answer counted.

    Site ── one per rehearsal: the shop's origin, the connections, the count of answers, the end of time
    Browser ── one per shopper: cookies, and the patience of a page that asks again after trouble

Trouble is no answer, 429 or 5xx. Whatever is asked here may be asked twice: the shop's posts are safe to repeat.
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

TROUBLE = frozenset({429, 500, 502, 503, 504})
NO_ANSWER = "no answer"
CONNECTIONS = 128
ANSWER_SECONDS = 15.0  # the longest wait for one answer
LONGEST_PAUSE = 10.0  # between two tries
PATIENCE = 120.0  # of trouble without a break, for one answer: a server that was killed is back long before
EXAMPLES = 5
NAMED = re.compile(r"(?<=/drops/|/holds/)[^/]+|(?<=/orders/)[^/]+|(?<=/line/)[^/]+")  # what stands for one of many
NONE: Mapping[str, str] = {}
HTML, JSON = "text/html,application/xhtml+xml,*/*;q=0.8", "application/json"


class TimeIsUp(Exception):
    """The rehearsal ends before the shopper could; or the shop did not answer well for too long."""


class Odd(Exception):
    """A page was not what a shopper has a right to expect."""


@dataclass(frozen=True)
class Answer:
    """One answer, read to its end."""

    status: int
    headers: CIMultiDictProxy[str]
    url: str
    text: str

    @property
    def good(self) -> bool:
        return self.status < 400

    def json(self) -> Any:
        """Raises: Odd."""
        try:
            return json.loads(self.text)
        except ValueError:
            raise Odd(f"{urlsplit(self.url).path} answered {self.status} without JSON") from None

    def retry_after(self, otherwise: float) -> float:
        """Seconds that the shop asks to wait."""
        value = self.headers.get("Retry-After", "")
        return min(float(value), LONGEST_PAUSE) if value.isdigit() else otherwise


@dataclass
class Site:
    """The shop as its visitors meet it. `ends` is on the monotonic clock."""

    origin: str
    ends: float
    answers: Counter[str] = field(default_factory=Counter)
    routes: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)  # of 500s: where
    session: aiohttp.ClientSession = field(init=False)

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=20),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            headers={"User-Agent": "Dropsite rehearsal", "Accept-Encoding": "gzip"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.session.close()

    async def sleep(self, seconds: float) -> None:
        """Raises: TimeIsUp instead of sleeping past the end."""
        if monotonic() + seconds > self.ends:
            raise TimeIsUp
        await asyncio.sleep(seconds)

    def count(self, answer: Answer | None, method: str, path: str) -> None:
        name = str(answer.status) if answer else NO_ANSWER
        self.answers[name] += 1
        self.routes[f"{method} {NAMED.sub('…', path)} {name}"] += 1
        if answer and answer.status == 500:
            seen = self.examples.setdefault(name, [])
            if len(seen) < EXAMPLES and path not in seen:
                seen.append(path)


@dataclass
class Browser:
    """One shopper's browser."""

    site: Site
    dice: Random
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> Answer:
        return await self.ask("GET", path)

    async def post(self, path: str, data: Mapping[str, str], *, page: str = "/", script: bool = False) -> Answer:
        """Send a form of this site; `page` is where it stands, `script` whether the page's script sends it."""
        address = urljoin(self.site.origin, page)
        headers = {"Origin": self.site.origin, "Sec-Fetch-Site": "same-origin", "Referer": address}
        return await self.ask("POST", path, data=data, headers=headers | {"Accept": JSON if script else HTML})

    async def ask(
        self,
        method: str,
        path: str,
        *,
        data: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask until an answer comes that is no trouble. Redirects are not followed. Raises: TimeIsUp, Odd."""
        tries, begun = 0, monotonic()
        while monotonic() - begun < PATIENCE:
            answer = await self.once(method, path, data, headers or NONE)
            if answer and answer.status not in TROUBLE:
                return answer
            pause = min(LONGEST_PAUSE, 1.5**tries)
            if answer:
                pause = answer.retry_after(pause)
            tries += 1
            await self.site.sleep(pause * self.dice.uniform(0.8, 1.2))
        raise Odd(f"{path} had no good answer in {PATIENCE:.0f} s")

    async def once(
        self, method: str, path: str, data: Mapping[str, str] | None = None, headers: Mapping[str, str] = NONE
    ) -> Answer | None:
        """Ask one time; None if no answer came."""
        url = urljoin(self.site.origin, path)
        ours = url.startswith(f"{self.site.origin}/")
        sent = dict(headers)
        if ours and self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        found = None
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            async with self.site.session.request(
                method, url, data=data, headers=sent, allow_redirects=False
            ) as response:
                text = await response.text(errors="replace")
                found = Answer(response.status, response.headers, url, text)
        if found and ours:
            self._keep(found.headers.getall("Set-Cookie", []))
        self.site.count(found, method, urlsplit(url).path)
        return found

    def _keep(self, lines: list[str]) -> None:
        for line in lines:
            with contextlib.suppress(CookieError):
                for name, morsel in SimpleCookie(line).items():
                    if morsel["max-age"] in {"0", 0} or not morsel.value:
                        self.cookies.pop(name, None)
                    else:
                        self.cookies[name] = morsel.value
