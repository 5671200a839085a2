"""Clients that take and don't give: idle connections, requests that take for ever, headers without end.

They begin again whenever the server ends one, from a thread of their own.
"""

import asyncio
import resource
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self

IDLE, SLOW, LARGE = 2000, 200, 20
FILES_KEPT = 512  # open files of this process for everything else
BYTE_SECONDS = 0.5  # between two bytes of a slow client
PAUSE_SECONDS = 0.5  # before a connection that was ended is opened again
LARGE_BYTES = 1_000_000
START_SECONDS = 60.0

HEAD = "POST {path} HTTP/1.1\r\nHost: {host}\r\n"
FORM = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\nContent-Length: 4000\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class BadClients:
    """Keeps bad clients busy with a server for as long as the block lasts.

    `ended` counts, by kind, how often the server ended a connection; `statuses` what it said then.
    """

    def __init__(self, *, host: str, port: int, path: str) -> None:
        self.host, self.port = host, port
        self.head = HEAD.format(path=path, host=host).encode()
        self.form = FORM.encode()
        self.open: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.idle = min(IDLE, _raise_open_files() - FILES_KEPT)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def are_all_here(self) -> bool:
        """Whether nearly all connections are open; a few are always being opened again."""
        return self.open["idle"] >= 0.95 * self.idle and self.open["slow"] >= 0.8 * SLOW

    def wait(self) -> None:
        """Wait, bounded, until they are all here."""
        pause = threading.Event()
        for _ in range(int(START_SECONDS / PAUSE_SECONDS)):
            if self.are_all_here:
                return
            pause.wait(PAUSE_SECONDS)
        raise TimeoutError(f"only {dict(self.open)} connections could be opened")

    async def _run(self) -> None:
        acts = [("idle", self._wait)] * self.idle
        acts += [("slow", self._send_slow_head), ("slow", self._send_slow_body)] * (SLOW // 2)
        acts += [("large", self._send_large_head)] * LARGE
        tasks = [asyncio.create_task(self._repeat(kind, act)) for kind, act in acts]
        while not self._stop.is_set():
            await asyncio.sleep(PAUSE_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _repeat(self, kind: str, act: Callable[[Streams], Coroutine[Any, Any, None]]) -> None:
        while True:
            with suppress(OSError):
                streams = await asyncio.open_connection("127.0.0.1", self.port)
                self.open[kind] += 1
                try:
                    await act(streams)
                finally:
                    self.open[kind] -= 1
                    self.ended[kind] += 1
                    streams[1].close()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _wait(self, streams: Streams) -> None:
        await streams[0].read()

    async def _send_slow_head(self, streams: Streams) -> None:
        await self._drip(streams, self.head + b"X-Slow: " + b"a" * LARGE_BYTES)

    async def _send_slow_body(self, streams: Streams) -> None:
        streams[1].write(self.head + self.form)
        await self._drip(streams, b"key=" + b"a" * 4000)

    async def _drip(self, streams: Streams, data: bytes) -> None:
        """Send byte by byte, until the server ends it or answers."""
        reader, writer = streams
        answer = asyncio.create_task(reader.read(1))
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            done, _pending = await asyncio.wait([answer], timeout=BYTE_SECONDS)
            if done:
                return

    async def _send_large_head(self, streams: Streams) -> None:
        reader, writer = streams
        writer.write(self.head + b"X-Large: " + b"a" * LARGE_BYTES)
        line = await reader.readline()
        if line.count(b" ") >= 2:
            self.statuses[int(line.split()[1])] += 1


def _raise_open_files() -> int:
    """Allow this process as many open files as it may have; return the number."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 10_000 if hard == resource.RLIM_INFINITY else hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return most
