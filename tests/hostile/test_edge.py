"""The running shop, as a stranger's socket finds it: nothing that it sends ends in an error of ours.

What the edge lets through meets the HTTP parsers of web and gate behind it, which have pages of their own.
"""

import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from random import Random

import pytest

from deploy.local.runner.stack import RunningStack
from deploy.nginx import rendering
from tests.hostile.values import HostileRequest, Values

CASES = 200
SECONDS = 20
THREADS = 8
LONG = 40_000  # bytes: longer than any header that the edge reads


@dataclass(frozen=True)
class Route:
    """An address of a route, `x` being what a stranger chooses, and the status of a right request."""

    path: str
    status: int
    method: str = "GET"


# A new location or tier needs a line here.
LOCATIONS = {
    "/": Route("/how/", 200),
    "^~ /metrics/": Route("/metrics/x", 404),
    "^~ /admin/": Route("/admin/login/?next=x", 200),
    "^~ /webhooks/": Route("/webhooks/stripe/", 400, "POST"),
    r"~ ^/static/.+\.(css|js|mjs|json|map|svg|txt)$": Route("/static/x.css", 404),
    "^~ /media/": Route("/media/x", 404),
    "/static/": Route("/static/x", 404),
    "^~ /edge/": Route("/edge/x", 404),
}
TIERS = {
    '"~^(/[a-z][a-z](-[a-z]+)?)?/(holds|orders)/" web': Route("/holds/x/pay/", 403, "POST"),
    '"~^(/[a-z][a-z](-[a-z]+)?)?/drops/[^/]+/(pick|hold|mine)(/|$)" web': Route("/drops/x/mine/", 404),
    '"~^/(admin|healthz)(/|$)" web': Route("/healthz/ready?x", 200),
    '"~^/webhooks/" hooks': Route("/webhooks/x", 404),
    r'"~^/line/[^/]+/status\.json$" store': Route("/line/x/status.json", 404),
    '"~^/line/" gate': Route("/line/x/join", 403, "POST"),
    "default store": Route("/drops/x/", 404),
}


ROUTES = LOCATIONS | TIERS


def test_every_location_and_tier_has_a_case() -> None:
    template = (rendering.HERE / "nginx.conf.template").read_text()
    public = template.partition("server {  # the store")[0] + rendering.PAGES_LOCATION.replace("{{", "{")
    tiers = re.search(r"map \$uri \$tier \{(.*?)\n  \}", template, re.DOTALL)

    assert tiers
    assert {line.strip().rstrip(";") for line in tiers[1].splitlines()} - {""} == set(TIERS)
    assert set(re.findall(r"^ *location (.+?) \{", public, re.MULTILINE)) == set(LOCATIONS)


# What no HTTP library would send: what becomes of the first line, and lines that are added at the end.
FIRST_LINES: tuple[tuple[bytes, bytes], ...] = (
    (b"HTTP/1.1", b"HTTP/2.0"),
    (b"HTTP/1.1", b"HTTP/9.9"),
    (b"HTTP/1.1", b"HTTP/1.1x"),
    (b"HTTP/1.1", b"http/1.1"),
    (b" /", b" http://evil.example/"),
    (b" /", b" //"),
    (b" /", b" \xff\xfe /"),
    (b" /", b" /\xff\xfe"),
    (b" /", b" /" + b"a" * 5_000),
    (b" /", b" /" + b"a" * LONG),
    (b" /", b" /../../"),
    (b" /", b" /./x/../"),
    (b" /", b" /%00"),
    (b" /", b" /%"),
    (b" /", b" /%2e%2e/"),
    (b" /", b" *"),
    (b" HTTP", b"?%00=" + b"9" * 4_400 + b" HTTP"),
    (b" HTTP", b"?" + b"a=b&" * 1_500 + b" HTTP"),
)
MORE_LINES: tuple[bytes, ...] = (
    b"Host: evil.example",
    b"no colon",
    b"a b: c",
    b"\xe9: c",
    b"a\0: c",
    b"A: b\0c",
    b" folded",
    b": c",
    b"A_B: c\r\nContent_Length: 5",
    b"A: " + b"a" * LONG,
    b"A: " + b"a" * 8_180,
    b"a" * 300 + b": c",
    b"\r\n".join(b"A%d: b" % number for number in range(150)),
    b"\r\n".join(b"Cookie: a%d=b" % number for number in range(150)),
    b"Content-Length: -1",
    b"Content-Length: " + b"9" * 4_400,
    b"Content-Length: 0x10",
    "Content-Length: １".encode(),
    b"Content-Length: 3\r\nContent-Length: 4",
    b"Content-Length: 99999999",
    b"Transfer-Encoding: xyz",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n",
    b"Expect: nonsense",
    b"Upgrade: websocket\r\nConnection: Upgrade",
    b"Range: bytes=" + b"0-0," * 500,
    b"If-Modified-Since: " + b"9" * 500,
)
# What is no request at all, breaks off, or has a body that can't be read.
CHUNKED = b"POST /how/ HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
FRAGMENTS = (
    CHUNKED + b"zz\r\n",
    CHUNKED + b"-1\r\n",
    CHUNKED + b"F" * 99 + b"\r\n",
    b"",
    b"\0" * 100,
    b"GET /how/\r\n",
    b"GET /how/ HTTP/1.1\r\nHost",
    b"POST /how/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\n\r\na",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
)
PAGES = re.compile("text/(html|plain)|application/(problem[+])?json")


@dataclass(frozen=True)
class Reply:
    """A response; status 0 means that the edge closed the connection without one."""

    status: int
    kind: str
    body: bytes


def written(request: HostileRequest, host: bytes) -> bytes:
    """Return a request as it is sent, without its body and the empty line before that."""
    headers = {"Host": host, "Connection": b"close", **request.headers}
    if request.cookies:
        headers["Cookie"] = request.cookie_header()
    query = b"?" + request.query_string() if request.query else b""
    lines = [b"%s %s%s HTTP/1.1" % (request.method.encode(), request.path, query)]
    return b"\r\n".join(lines + [name.encode() + b": " + value for name, value in headers.items()])


def with_body(request: HostileRequest, host: bytes) -> bytes:
    """Return a whole request as it is sent."""
    body = request.payload()
    if body or request.method == "POST":
        request.headers.setdefault("Content-Type", request.content_type.encode("latin-1"))
        request.headers["Content-Length"] = b"%d" % len(body)
    return written(request, host) + b"\r\n\r\n" + body


def exchange(port: int, sent: bytes, *, breaks_off: bool = False) -> Reply:
    """Send bytes, and read until the edge closes the connection."""
    received = b""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection,
        suppress(ConnectionResetError, BrokenPipeError),  # it answers before it has read everything
    ):
        connection.sendall(sent)
        if breaks_off:
            connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65_536):
            received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.1 (\d+)", head)
    kind = re.search(rb"(?i)\r\ncontent-type: *([^;\r]*)", head)
    return Reply(int(status[1]) if status else 0, kind[1].decode() if kind else "", body)


def exchanges(port: int, name: str, route: Route) -> Iterator[tuple[bytes, Reply]]:
    """Send a right request, then hostile ones: other lines, and then spoiled parts."""
    host = b"127.0.0.1:%d" % port

    def right() -> HostileRequest:
        return HostileRequest(route.method, route.path.encode(), headers={"Accept": b"text/html"})

    plain = written(right(), host)
    frames = [plain.replace(old, new, 1) for old, new in FIRST_LINES]
    frames += [plain + b"\r\n" + line for line in MORE_LINES]
    frames += [
        plain.replace(b"\r\nHost: " + host, b""),
        plain.replace(host, b"a b"),
        plain.replace(host, b"\xe9"),
    ]
    sent = [with_body(right(), host), *(frame + b"\r\n\r\n" for frame in frames)]
    values = Values(Random(name))
    while len(sent) < CASES:
        request = right()
        request.spoil(values, [b"x"] if "x" in route.path else [])
        sent.append(with_body(request, host))
    for one in sent:
        yield one, exchange(port, one)


def test_edge_has_a_fitting_page_for_every_hostile_request(stack: RunningStack) -> None:
    port = int(stack.environment["PORT_EDGE"])
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda item: list(exchanges(port, *item)), ROUTES.items()))

    assert [pairs[0][1].status for pairs in found] == [route.status for route in ROUTES.values()]
    for sent, reply in (pair for pairs in found for pair in pairs):
        assert 200 <= reply.status < 500, (reply, sent[:500])
        assert reply.status < 400 or PAGES.fullmatch(reply.kind), (reply, sent[:500])
        assert reply.status < 400 or reply.body or sent.startswith(b"HEAD"), (reply, sent[:500])
        assert b"<center>nginx" not in reply.body, (reply, sent[:500])


@pytest.mark.parametrize("sent", FRAGMENTS)
def test_edge_survives_what_is_no_request(stack: RunningStack, sent: bytes) -> None:
    assert exchange(int(stack.environment["PORT_EDGE"]), sent, breaks_off=True).status < 500
