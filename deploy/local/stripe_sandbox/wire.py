"""A small HTTP client for webhooks: POST over kept-alive connections to one plain http:// address."""

import asyncio
from urllib.parse import urlsplit

HEAD_BYTES = 64 * 1024


class Wire:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 80
        self._netloc = parts.netloc
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, body: bytes, headers: dict[str, str], *, timeout: float) -> int:
        """The answer's status. Raises OSError or TimeoutError when there is none."""
        lines = [f"POST {self._target} HTTP/1.1", f"Host: {self._netloc}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
        async with asyncio.timeout(timeout):
            while self._idle:  # the other side may have closed it meanwhile: then the next, or a new one
                try:
                    return await self._exchange(*self._idle.pop(), request)
                except (OSError, EOFError):
                    continue
            try:
                return await self._exchange(*await asyncio.open_connection(self._host, self._port), request)
            except EOFError as error:
                raise ConnectionError("closed without an answer") from error

    async def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
        whole = False
        try:
            writer.write(request)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *fields = head.split("\r\n")
            named = {name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
            length = named.get("content-length", "")
            if length.isdigit() and int(length) <= HEAD_BYTES:
                await reader.readexactly(int(length))
                whole = named.get("connection", "").lower() != "close"
            return int(status_line.split(" ")[1])
        except (asyncio.LimitOverrunError, ValueError, IndexError) as error:
            raise ConnectionError("not an HTTP answer") from error
        finally:
            if whole:
                self._idle.append((reader, writer))
            else:
                writer.close()
