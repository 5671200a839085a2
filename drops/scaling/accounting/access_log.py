"""What the edge's log says of a span of time: requests, bytes and the busiest second, by group. Reads one file.

The log holds a line of JSON per request, in the order of time (deploy/nginx), so the span's beginning is searched for.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 2**30  # of one span: more would keep a worker for minutes
QUIET = timedelta(seconds=10)  # so long nobody may come at a span's beginning; else the log was begun anew in it
NEAR = 64 * 1024  # bytes, from where on the beginning is looked for line by line
LINE = re.compile(  # deploy/nginx/nginx.conf.template: log_format json
    rb'^{"time":"(?P<time>[^"]+)","id":"[^"]*","address":"[^"]*","host":"[^"]*","method":"(?P<method>[A-Z]+)",'
    rb'"path":"(?P<path>[^"]*)","status":\d+,"bytes":(?P<bytes>\d+),"seconds":[^,]*,"cache":"[^"]*",'
    rb'"upstream":"(?P<upstream>[^"]*)"}$'
)
TIME = re.compile(rb'^{"time":"([^"]+)"')
OF_A_DROP = re.compile(r"^/(?:line|drops)/([^/]+)/")
FILES = ("/static/", "/media/")
APART = ("/admin/",)  # not a shopper's


class Unreadable(Exception):
    """The log can't tell; the text is a sentence that says why."""


@dataclass
class Counted:
    """Counts of one group. A second is named by its text in the log."""

    requests: int = 0
    size: int = 0  # bytes
    seconds: Counter[bytes] = field(default_factory=Counter)

    @property
    def peak(self) -> int:
        """Give the requests of the busiest second."""
        return max(self.seconds.values(), default=0)


@dataclass
class Seen:
    """What was seen in a span; `polls` are looks at the status with their bytes, `pays` are presses of Pay."""

    groups: dict[str, Counted] = field(
        default_factory=lambda: {name: Counted() for name in ("edge", "gate", "web", "hooks")}
    )
    polls: int = 0
    poll_bytes: int = 0
    pays: int = 0


def read(*, path: Path, slug: str, since: datetime, until: datetime) -> Seen:
    """Count what came for a drop in a span; what names another drop is left out. Raises: Unreadable."""
    seen = Seen()
    try:
        with path.open("rb") as log:
            refuse_part(log, since)
            log.seek(first_after(log, since))
            read_bytes = 0
            for raw in log:
                read_bytes += len(raw)
                if read_bytes > MOST_BYTES:
                    raise Unreadable(f"The edge's log has more than {MOST_BYTES // 2**30} GiB for the drop.")
                found = LINE.match(raw.rstrip())
                if found is None:
                    continue
                at = moment(found["time"])
                if at is None or at < since:
                    continue
                if at > until:
                    break
                count(seen, found, slug)
    except OSError as error:
        raise Unreadable(f"The edge's log can't be read: {error.strerror or error}.") from error
    if not seen.groups["edge"].requests:
        raise Unreadable("The edge's log has no line of that time.")
    return seen


def refuse_part(log: BinaryIO, since: datetime) -> None:
    """Raise Unreadable of a log that was begun anew in a span: its counts would be of a part of the drop."""
    found = next((found for raw in log if (found := TIME.match(raw))), None)
    begins = moment(found[1]) if found else None
    if begins and begins > since + QUIET:
        raise Unreadable(f"The edge's log begins at {begins:%d %b %H:%M:%S %Z}, when the lobby was open already.")


def first_after(log: BinaryIO, since: datetime) -> int:
    """Find a line's beginning shortly before the first of the span."""
    low, high = 0, log.seek(0, 2)
    while high - low > NEAR:
        middle = (low + high) // 2
        log.seek(middle)
        log.readline()  # the rest of a line
        at, begins = None, log.tell()
        found = TIME.match(log.readline())
        at = moment(found[1]) if found else None
        if at is not None and at < since and begins < high:
            low = begins
        else:
            high = middle
    return low


@lru_cache(maxsize=16)  # hundreds of thousands of lines have the same
def moment(text: bytes) -> datetime | None:
    """Read a time of the log; None if it isn't one."""
    try:
        at = datetime.fromisoformat(text.decode())
    except (ValueError, UnicodeDecodeError):
        return None
    return at if at.tzinfo else None


def count(seen: Seen, found: re.Match[bytes], slug: str) -> None:
    """Add one request to the groups that it reached."""
    path = found["path"].decode(errors="replace")
    if path == f"/line/{slug}/status.json":  # nearly all of them
        seen.polls += 1
        seen.poll_bytes += int(found["bytes"])
    else:
        of = OF_A_DROP.match(path)
        if (of and of[1] != slug) or path.startswith(APART):
            return
    add(seen, "edge", found)
    if path.startswith("/holds/") and path.endswith("/pay/") and found["method"] == b"POST":
        seen.pays += 1
    if found["upstream"] and not path.startswith(FILES):
        group = "gate" if path.startswith("/line/") else "hooks" if path.startswith("/webhooks/") else "web"
        add(seen, group, found)


def add(seen: Seen, group: str, found: re.Match[bytes]) -> None:
    """Count one request for a group."""
    counted = seen.groups[group]
    counted.requests += 1
    counted.size += int(found["bytes"])
    counted.seconds[found["time"]] += 1
