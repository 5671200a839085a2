"""The write-ahead log: a file of JSON lines, each a record with everything that one request changed.

A record is on disk before the response to its request leaves, so `kill -9` and a power cut lose neither a
payment nor an idempotency key. A record is written at once and synced together with its neighbours: one
fdatasync per turn of the event loop, however many records it wrote.
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

FILE_NAME = "wal.jsonl"
COMPACTION_BYTES = 32 * 1024 * 1024
LOCK_TIMEOUT_SECONDS = 10.0

Entry = tuple[str, Any]
"""One part of a record: its kind and its payload."""


class WalError(Exception):
    """The log can't be used; the message is one sentence for the person who started the sandbox."""


class Location(NamedTuple):
    """The position of a record in the file, in bytes."""

    offset: int
    length: int


class WriteAheadLog:
    """Raises WalError when another sandbox uses the folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = folder / FILE_NAME
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._acquire_lock(folder)
        self._file = self._open(self._path)
        self._end = os.fstat(self._file).st_size
        self._next_sync: asyncio.Future[None] | None = None

    def replay(self) -> Iterator[tuple[Location, list[Entry]]]:
        """Yield every record, oldest first. A torn last record is cut off: its response was never sent.

        Raises WalError if a record before the last one is damaged.
        """
        offset = 0
        with self._path.open("rb") as lines:
            for line in lines:
                entries = _decode(line)
                if entries is None:
                    self._truncate_torn_record(offset, len(line))
                    return
                yield Location(offset, len(line)), entries
                offset += len(line)

    def append(self, entries: Iterable[tuple[str, str]], *, sync: bool = True) -> Location:
        """Write one record of (kind, payload as JSON) pairs. Await `flush()` to know that it is on disk."""
        line = _encode(entries)
        location = Location(self._end, len(line))
        self._write(line)
        self._end += len(line)
        if sync and self._next_sync is None:
            loop = asyncio.get_running_loop()
            self._next_sync = loop.create_future()
            # Runs after the handlers that are ready in this turn of the loop, so that they share one sync.
            loop.call_soon(self._sync)
        return location

    async def flush(self) -> None:
        """Wait until every record appended so far is on disk."""
        if self._next_sync is not None:
            await self._next_sync

    def read(self, location: Location) -> list[Entry]:
        entries: list[Entry] = json.loads(os.pread(self._file, location.length, location.offset))
        return entries

    @property
    def needs_compaction(self) -> bool:
        return self._end > COMPACTION_BYTES

    def compact(self, records: Iterable[list[tuple[str, str]]]) -> None:
        """Replace the whole file by these records, atomically: a crash leaves the old file or the new one."""
        old_file, old_end = self._file, self._end
        new_path = self._path.with_suffix(".new")
        new_path.unlink(missing_ok=True)
        new_file = self._open(new_path)
        new_end = 0
        # The iterator may still read from the old file, which is why that stays open until the end.
        for entries in records:
            line = _encode(entries)
            os.write(new_file, line)
            new_end += len(line)
        os.fsync(new_file)
        if os.fstat(new_file).st_size != new_end or os.fstat(old_file).st_size != old_end:
            raise WalError(
                f"{self._path} could not be compacted: the disk is full or another process writes to it."
            )
        new_path.rename(self._path)
        self._sync_folder()
        os.close(old_file)
        self._file, self._end = new_file, new_end

    def close(self) -> None:
        os.fsync(self._file)
        os.close(self._file)
        os.close(self._lock)

    def _acquire_lock(self, folder: Path) -> None:
        """Ensure one writer per folder. A predecessor that was just killed may need a moment to disappear."""
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise WalError(f"Another sandbox is running on {folder}.") from None
                time.sleep(0.05)

    def _open(self, path: Path) -> int:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._sync_folder()
        return file

    def _sync_folder(self) -> None:
        """Make a new or renamed file's directory entry durable."""
        folder = os.open(self._path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def _truncate_torn_record(self, offset: int, length: int) -> None:
        is_last = offset + length == self._end
        if not is_last:
            raise WalError(f"{self._path} is damaged at byte {offset}: repair or delete it.")
        os.ftruncate(self._file, offset)
        self._end = offset

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
        except OSError as error:
            self._crash(str(error))
        else:
            if written < len(line):
                self._crash("the disk is full")

    def _sync(self) -> None:
        synced, self._next_sync = self._next_sync, None
        try:
            # macOS has no fdatasync.
            getattr(os, "fdatasync", os.fsync)(self._file)
        except OSError as error:
            self._crash(str(error))
        if synced is not None:
            synced.set_result(None)

    def _crash(self, reason: str) -> None:
        """End the process at once, so that nothing is answered from memory that is ahead of the disk.

        The next start cuts off a torn record.
        """
        sys.stderr.write(f"sandbox: can't write the write-ahead log: {reason}\n")
        sys.stderr.flush()
        os._exit(1)


def _encode(entries: Iterable[tuple[str, str]]) -> bytes:
    # The payloads are JSON already: joining the text saves encoding each of them twice.
    return ("[" + ",".join(f'["{kind}",{payload}]' for kind, payload in entries) + "]\n").encode()


def _decode(line: bytes) -> list[Entry] | None:
    """Return the record's entries, or None if it is torn or damaged."""
    if not line.endswith(b"\n"):
        return None
    try:
        entries: list[Entry] = json.loads(line)
    except ValueError:
        return None
    return entries
