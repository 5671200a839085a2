"""A visitor who reads cached pages ten times a second, whether or not the last one has been answered."""

import asyncio
import math
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple, Self

import aiohttp

PAUSE_SECONDS = 0.1
TIMEOUT_SECONDS = 30.0


class Answer(NamedTuple):
    """`asked` is on the monotonic clock; `status` is 0 if there was no answer."""

    asked: float
    seconds: float
    status: int


class Visitor:
    """Reads pages from a thread of its own, for as long as the block lasts. `paths` have names."""

    def __init__(self, *, origin: str, paths: Mapping[str, str]) -> None:
        self.answers: dict[str, list[Answer]] = {name: [] for name in paths}
        self._origin, self._paths = origin, paths
        self._ended = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._read()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def between(self, name: str, start: float, end: float) -> list[Answer]:
        """Return the answers to what was asked between two times of the monotonic clock."""
        return [answer for answer in self.answers[name] if start <= answer.asked < end]

    async def _read(self) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(self._origin, timeout=timeout, connector=connector) as client:
            waiting = set()
            while not self._ended.is_set():
                for name, path in self._paths.items():
                    reading = asyncio.create_task(self._ask(client, name, path))
                    waiting.add(reading)
                    reading.add_done_callback(waiting.discard)
                await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.gather(*waiting)

    async def _ask(self, client: aiohttp.ClientSession, name: str, path: str) -> None:
        asked, status = time.monotonic(), 0
        with suppress(aiohttp.ClientError, TimeoutError):
            async with client.get(path) as response:
                await response.read()
                status = response.status
        self.answers[name].append(Answer(asked, time.monotonic() - asked, status))


def quantile(answers: Sequence[Answer], share: float) -> float:
    """Return the nearest-rank quantile of the seconds, `inf` where there was no answer; 0 of none."""
    seconds = sorted(answer.seconds if answer.status == 200 else math.inf for answer in answers)
    return seconds[max(0, math.ceil(share * len(seconds)) - 1)] if seconds else 0.0
