"""The journal: one file of JSON lines, each a whole request's effects, on disk before its answer leaves.

Whatever was answered is in the file, so `kill -9` and a power cut lose neither money nor an idempotency key. A line
is written at once and synced with its neighbours: one fdatasync per turn of the event loop, however many lines.
"""

import asyncio
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from .config import Refused

COMPACT_ABOVE = 32 * 1024 * 1024
LOCK_SECONDS = 10.0

Entry = tuple[str, Any]
"""What a line consists of: a kind and its payload."""


class Where(NamedTuple):
    offset: int
    length: int


def _line(entries: Iterable[tuple[str, str]]) -> bytes:
    return ("[" + ",".join(f'["{kind}",{payload}]' for kind, payload in entries) + "]\n").encode()


class Journal:
    """Raises Refused when another sandbox holds the folder or the file is damaged before its end."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / "journal.jsonl"
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._take_lock(folder)
        self._file = self._open(self._path)
        self._end = os.fstat(self._file).st_size
        self._synced: asyncio.Future[None] | None = None

    def replay(self) -> Iterator[tuple[Where, list[Entry]]]:
        """Every line from the first on. A last line that was torn by a crash is cut off: its answer never left."""
        offset = 0
        with self._path.open("rb") as lines:
            for line in lines:
                try:
                    entries = json.loads(line) if line.endswith(b"\n") else None
                except ValueError:
                    entries = None
                if entries is None:
                    if offset + len(line) < self._end:
                        raise Refused(f"{self._path} is damaged at byte {offset}: mend or remove it.")
                    os.ftruncate(self._file, offset)
                    self._end = offset
                    return
                yield Where(offset, len(line)), entries
                offset += len(line)

    def append(self, entries: Iterable[tuple[str, str]], *, sync: bool = True) -> Where:
        """Write one line; the payloads come as JSON. `durable()` then tells when it is on disk."""
        line = _line(entries)
        where = Where(self._end, len(line))
        self._write(line)
        self._end += len(line)
        if sync and self._synced is None:
            loop = asyncio.get_running_loop()
            self._synced = loop.create_future()
            loop.call_soon(self._sync)
        return where

    async def durable(self) -> None:
        """Wait until everything that was appended so far is on disk."""
        if self._synced is not None:
            await self._synced

    def read(self, where: Where) -> list[Entry]:
        entries: list[Entry] = json.loads(os.pread(self._file, where.length, where.offset))
        return entries

    @property
    def is_large(self) -> bool:
        return self._end > COMPACT_ABOVE

    def rewrite(self, lines: Iterable[list[tuple[str, str]]]) -> None:
        """Put these lines in the place of all, in one step: a crash leaves the old file or the new one."""
        old, old_end = self._file, self._end
        beside = self._path.with_suffix(".new")
        beside.unlink(missing_ok=True)
        fresh = self._open(beside)
        end = 0
        for entries in lines:  # reads from the old file, so it stays ours until the end
            line = _line(entries)
            os.write(fresh, line)
            end += len(line)
        os.fsync(fresh)
        if os.fstat(fresh).st_size != end or os.fstat(old).st_size != old_end:
            raise Refused(f"{self._path} could not be compacted: the disk is full or the file is being written.")
        beside.rename(self._path)
        self._sync_folder()
        os.close(old)
        self._file, self._end = fresh, end

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)
        os.close(self._lock)

    def _take_lock(self, folder: Path) -> None:
        """One writer a folder; a predecessor that was killed may need a moment to be gone."""
        until = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Refused(f"Another sandbox is running on {folder}.") from None
                time.sleep(0.05)

    def _open(self, path: Path) -> int:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._sync_folder()
        return file

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _write(self, line: bytes) -> None:
        try:
            if os.write(self._file, line) == len(line):
                return
            reason = "the disk is full"
        except OSError as error:
            reason = str(error)
        self._give_up(reason)

    def _sync(self) -> None:
        synced, self._synced = self._synced, None
        try:
            getattr(os, "fdatasync", os.fsync)(self._file)
        except OSError as error:
            self._give_up(str(error))
        if synced is not None:
            synced.set_result(None)

    def _give_up(self, reason: str) -> None:
        """Die rather than answer: memory is now ahead of the disk. A torn line is cut off by the next start."""
        sys.stderr.write(f"sandbox: the journal cannot be written: {reason}\n")
        sys.stderr.flush()
        os._exit(1)
