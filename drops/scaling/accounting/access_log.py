"""Reads the edge's access log: requests, bytes and the busiest second of a period, by group.

The log has one line of JSON per request, in the order of time (deploy/nginx), so the beginning of the period
is found by bisection.
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 2**30  # of one period: more would keep a worker busy for minutes
MAX_GAP = timedelta(
    seconds=10
)  # without a request at the period's beginning; more: the log began during the period
SCAN_BYTES = 64 * 1024  # once bisection is this close, lines are read one by one
LINE_PATTERN = re.compile(  # deploy/nginx/nginx.conf.template: log_format json
    rb'^{"time":"(?P<time>[^"]+)","id":"[^"]*","address":"[^"]*","host":"[^"]*","method":"(?P<method>[A-Z]+)",'
    rb'"path":"(?P<path>[^"]*)","status":\d+,"bytes":(?P<bytes>\d+),"seconds":[^,]*,"cache":"[^"]*",'
    rb'"upstream":"(?P<upstream>[^"]*)"}$'
)
TIME_PATTERN = re.compile(rb'^{"time":"([^"]+)"')
DROP_PATH_PATTERN = re.compile(r"^/(?:line|drops)/([^/]+)/")
FILE_PREFIXES = ("/static/", "/media/")
IGNORED_PREFIXES = ("/admin/",)  # not of shoppers


class LogUnreadable(Exception):
    """The log can't be used; the text is a sentence that says why."""


@dataclass
class GroupTraffic:
    """The traffic of one group."""

    requests: int = 0
    sent_bytes: int = 0
    per_second: Counter[bytes] = field(default_factory=Counter)  # requests, by the time as the log writes it

    @property
    def peak(self) -> int:
        """The requests in the busiest second."""
        return max(self.per_second.values(), default=0)


def _no_traffic() -> dict[str, GroupTraffic]:
    return {name: GroupTraffic() for name in ("edge", "gate", "web", "hooks")}


@dataclass
class DropTraffic:
    """The traffic of one drop in a period."""

    groups: dict[str, GroupTraffic] = field(default_factory=_no_traffic)
    polls: int = 0  # of the status document
    poll_bytes: int = 0
    payments: int = 0  # submitted


def read(*, path: Path, slug: str, since: datetime, until: datetime) -> DropTraffic:
    """Count a drop's traffic in a period.

    Requests that name another drop don't count. Raises LogUnreadable.
    """
    traffic = DropTraffic()
    try:
        with path.open("rb") as log:
            refuse_partial_log(log, since)
            log.seek(find_start(log, since))
            _count_period(log, traffic, slug=slug, since=since, until=until)
    except OSError as error:
        raise LogUnreadable(f"The edge's log can't be read: {error.strerror or error}.") from error
    if not traffic.groups["edge"].requests:
        raise LogUnreadable("The edge's log has no requests of that time.")
    return traffic


def _count_period(
    log: BinaryIO, traffic: DropTraffic, *, slug: str, since: datetime, until: datetime
) -> None:
    read_bytes = 0
    for raw in log:
        read_bytes += len(raw)
        if read_bytes > MAX_BYTES:
            raise LogUnreadable(f"The edge's log has more than {MAX_BYTES // 2**30} GiB for the drop.")
        line = LINE_PATTERN.match(raw.rstrip())
        if line is None:
            continue
        at = parse_time(line["time"])
        if at is None or at < since:
            continue
        if at > until:
            return
        count_request(traffic, line, slug)


def refuse_partial_log(log: BinaryIO, since: datetime) -> None:
    """Raise LogUnreadable if the log begins during the period: it would cover only a part of the drop."""
    for raw in log:
        line = TIME_PATTERN.match(raw)
        if line is None:
            continue
        begins = parse_time(line[1])
        if begins and begins > since + MAX_GAP:
            start = f"{begins:%d %b %H:%M:%S %Z}"
            raise LogUnreadable(f"The edge's log begins at {start}, after the lobby had opened.")
        return


def find_start(log: BinaryIO, since: datetime) -> int:
    """Return the position of a line shortly before the first one of the period."""
    low, high = 0, log.seek(0, 2)
    while high - low > SCAN_BYTES:
        middle = (low + high) // 2
        log.seek(middle)
        log.readline()  # the rest of the line that the middle is in
        position = log.tell()
        at = None
        line = TIME_PATTERN.match(log.readline())
        if line:
            at = parse_time(line[1])
        if at is not None and at < since and position < high:
            low = position
        else:
            high = middle
    return low


@lru_cache(maxsize=16)  # hundreds of thousands of lines share a second
def parse_time(text: bytes) -> datetime | None:
    """Return a time of the log; None if the text isn't one."""
    try:
        at = datetime.fromisoformat(text.decode())
    except (ValueError, UnicodeDecodeError):
        return None
    if at.tzinfo is None:
        return None
    return at


def count_request(traffic: DropTraffic, line: re.Match[bytes], slug: str) -> None:
    """Count one request for the groups that it reached."""
    path = line["path"].decode(errors="replace")
    if path == f"/line/{slug}/status.json":  # nearly all of them, so it is checked first
        traffic.polls += 1
        traffic.poll_bytes += int(line["bytes"])
    elif is_foreign(path, slug):
        return
    add_request(traffic.groups["edge"], line)
    if path.startswith("/holds/") and path.endswith("/pay/") and line["method"] == b"POST":
        traffic.payments += 1
    if line["upstream"] and not path.startswith(FILE_PREFIXES):
        add_request(traffic.groups[group_of(path)], line)


def is_foreign(path: str, slug: str) -> bool:
    """Whether a request belongs to another drop, or to the admin."""
    named = DROP_PATH_PATTERN.match(path)
    return path.startswith(IGNORED_PREFIXES) or (named is not None and named[1] != slug)


def group_of(path: str) -> str:
    """Return the group that answers a path behind the edge."""
    if path.startswith("/line/"):
        return "gate"
    if path.startswith("/webhooks/"):
        return "hooks"
    return "web"


def add_request(group: GroupTraffic, line: re.Match[bytes]) -> None:
    """Count one request of a group."""
    group.requests += 1
    group.sent_bytes += int(line["bytes"])
    group.per_second[line["time"]] += 1
