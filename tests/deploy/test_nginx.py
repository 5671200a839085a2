"""The edge, as deploy/nginx renders it, in front of tiers that the tests play."""

import http.client
import itertools
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import NamedTuple

import pytest

from deploy.local.runner import ports
from deploy.local.runner.programs import ROOT
from deploy.local.runner.stack import Stack, remove
from deploy.nginx import rendering
from tests.deploy.upstream import Response, Upstream
from tests.servers import until

pytestmark = pytest.mark.ops

PAGE = {"Cache-Control": "public, max-age=0, s-maxage=1", "Vary": "Accept-Encoding"}
PAGE_NUMBERS = itertools.count()


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: str


@dataclass(kw_only=True)
class Edge:
    """A running nginx with the tiers behind it. `path` is a page that no other test requests."""

    port: int
    web: Upstream
    gate: Upstream
    hooks: Upstream
    stack: Stack
    path: str = ""


@pytest.fixture(scope="module")
def running_edge() -> Iterator[Edge]:
    folder = ROOT / "var" / f"test-{os.getpid()}-edge"
    with (
        Upstream(lambda path: Response()) as web,
        Upstream(lambda path: Response()) as gate,
        Upstream(lambda path: Response()) as hooks,
    ):
        port_numbers = ports.free() | {"PORT_WEB": web.port, "PORT_GATE": gate.port, "PORT_HOOKS": hooks.port}
        stack = Stack(
            folder=folder, programs=["edge"], port_numbers=port_numbers, settings={"EDGE_WORKERS": "2"}
        )
        try:
            with stack:
                yield Edge(port=port_numbers["PORT_EDGE"], web=web, gate=gate, hooks=hooks, stack=stack)
        finally:
            remove(folder)


@pytest.fixture
def edge(running_edge: Edge) -> Edge:
    """The edge, with no request yet."""
    for tier in (running_edge.web, running_edge.gate, running_edge.hooks):
        tier.requests.clear()
        tier.respond = lambda path: Response(body=path, headers=PAGE)
    running_edge.path = f"/drops/{next(PAGE_NUMBERS)}/"
    return running_edge


def send(port: int, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        with_hyphens = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=with_hyphens)
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read().decode(errors="replace"))
    finally:
        connection.close()


@pytest.mark.parametrize(
    "path", ["/metrics/scaling.json", "/metrics/", "//metrics/scaling.json", "/%6detrics/scaling.json"]
)
def test_metrics_are_not_reachable(edge: Edge, path: str) -> None:
    assert (send(edge.port, path).status, edge.web.requests) == (404, [])


def test_pages_are_requested_without_cookies_query_and_language(edge: Edge) -> None:
    reply = send(
        edge.port, f"{edge.path}?utm=1", Cookie="session=1", Authorization="Basic x", Accept_Language="de"
    )

    received = edge.web.requests[0]
    assert (reply.status, reply.body, received.path) == (200, edge.path, edge.path)
    assert not {"Cookie", "Authorization", "Accept-Language"} & set(received.headers)
    assert received.headers["Host"] == f"127.0.0.1:{edge.port}"
    assert reply.headers["Cache-Control"] == "public, max-age=0, s-maxage=1"


def test_pages_are_cached_for_all_queries_hosts_and_encodings_together(edge: Edge) -> None:
    edge.web.respond = lambda path: Response(
        body=path, headers=PAGE | {"Cache-Control": "public, s-maxage=60"}
    )
    encodings = ["gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8", "GZIP", "", "br", "gzip;q=0", "deflate"]

    for number, encoding in enumerate(encodings):
        send(edge.port, f"{edge.path}?{number}", Accept_Encoding=encoding, Host=f"127.0.0.1:{number + 1}")

    assert [received.headers.get("Accept-Encoding") for received in edge.web.requests] == ["gzip", None]


@pytest.mark.parametrize(
    "path",
    [f"/drops/x/{page}/" for page in ("pick", "hold", "mine")]
    + [f"/de/{page}/" for page in ("drops/x/mine", "holds/t", "orders/t")]
    + [
        f"/{page}"
        for page in ("holds/t/", "orders/t/state.json", "admin/", "admin/drops/drop/?q=1", "healthz/ready")
    ],
)
def test_private_paths_always_reach_web_with_cookies(edge: Edge, path: str) -> None:
    edge.web.respond = lambda path: Response(body="mine", headers=PAGE)  # even if the app allowed caching

    replies = [send(edge.port, path, Cookie="session=1") for _ in range(3)]

    assert [(received.path, received.headers["Cookie"]) for received in edge.web.requests] == [
        (path, "session=1")
    ] * 3
    assert [reply.headers["X-Cache"] for reply in replies] == [None] * 3


@pytest.mark.parametrize("path", ["/line/x/", "/line/x/join", "/line/x/enter", "/line/healthz"])
def test_line_paths_reach_the_gate_with_cookies(edge: Edge, path: str) -> None:
    send(edge.port, path, method="POST", body="key=1", Cookie="ticket-x=1", Origin="http://shop")

    received = edge.gate.requests[0]
    assert (received.method, received.path, received.headers["Cookie"]) == ("POST", path, "ticket-x=1")
    assert not edge.web.requests


def test_webhooks_reach_hooks_unchanged(edge: Edge) -> None:
    reply = send(
        edge.port, "/webhooks/stripe/", method="POST", body="x" * 300_000, Stripe_Signature="t=1,v1=a"
    )

    assert reply.status == 200
    assert edge.hooks.requests[0].headers["Stripe-Signature"] == "t=1,v1=a"


def test_large_bodies_are_refused_except_for_the_admin(edge: Edge) -> None:
    refused = [
        send(edge.port, path, method="POST", body="x" * 40_000).status
        for path in ("/holds/t/pay/", "/line/x/join")
    ]

    assert refused == [413, 413]
    assert send(edge.port, "/admin/shop/product/add/", method="POST", body="x" * 400_000).status == 200


def test_responses_that_set_a_cookie_are_not_cached(edge: Edge) -> None:
    edge.web.respond = lambda path: Response(body="x", headers=PAGE | {"Set-Cookie": "a=1"})

    for _ in range(3):
        send(edge.port, edge.path)

    assert len(edge.web.requests) == 3


def test_unknown_hosts_are_refused(edge: Edge) -> None:
    assert send(edge.port, "/", Host="evil.example").status == 421
    assert not edge.web.requests


def test_address_and_request_id_are_passed_on(edge: Edge) -> None:
    reply = send(
        edge.port,
        "/orders/t/",
        X_Request_ID="abcdefgh12",
        X_Forwarded_For="6.6.6.6",
        X_Forwarded_Proto="https",
    )

    headers = edge.web.requests[0].headers
    assert (headers["X-Request-ID"], headers["X-Forwarded-For"], headers["X-Forwarded-Proto"]) == (
        "abcdefgh12",
        "127.0.0.1",
        "http",
    )
    assert reply.headers["X-Request-ID"] == "abcdefgh12"
    assert len(send(edge.port, edge.path, X_Request_ID="not\tours").headers["X-Request-ID"]) == 32


def crowd_on_a_stale_page(edge: Edge, respond: Callable[[str], Response]) -> list[Reply]:
    """Return what 60 people get with 120 requests for a page whose cached copy is too old to be served."""
    send(edge.port, edge.path)
    stale_at = edge.web.requests[0].at + 3.2  # past its lifetime and stale-while-revalidate, a second each
    until(lambda: time.time() >= stale_at, "the copy's age")
    edge.web.requests.clear()
    edge.web.respond = respond
    with ThreadPoolExecutor(60) as crowd:
        return list(crowd.map(lambda _: send(edge.port, edge.path), range(120)))


def test_crowd_on_a_stale_page_reaches_web_once_a_second(edge: Edge) -> None:
    replies = crowd_on_a_stale_page(edge, lambda path: Response(body="new", headers=PAGE, seconds=0.3))

    assert Counter(reply.body for reply in replies) == {"new": 120}
    assert len(edge.web.requests) <= 1 + len({int(received.at) for received in edge.web.requests})


def test_crowd_without_the_shield_reaches_web_all_at_once(edge: Edge) -> None:
    """The control: nginx locks cache entries that are empty, not those that are stale.

    No request is answered before a crowd of them has arrived.
    """

    def slow(path: str) -> Response:
        until(lambda: len(edge.web.requests) > 20, "a crowd at web", seconds=20)
        return Response(body="new", headers=PAGE)

    port = ports.free()["PORT_EDGE"]
    environment = edge.stack.environment | {
        "EDGE_FOLDER": str(edge.stack.run / "careless"),
        "PORT_EDGE": str(port),
    }
    folder = rendering.prepare(environment)
    config = (folder / "nginx.conf").read_text()
    shield = f"upstream shield {{ server unix:{folder}/shield.sock;"
    assert config.count(shield) == 1
    without_shield = config.replace(shield, f"upstream shield {{ server 127.0.0.1:{edge.web.port};")
    (folder / "nginx.conf").write_text(without_shield)
    careless = replace(edge, port=port)
    command = [rendering.binary(), "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command) as nginx:
        try:
            until(lambda: is_listening(port), "nginx listens")
            crowd_on_a_stale_page(careless, slow)
        finally:
            nginx.terminate()

    assert len(edge.web.requests) > 20


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_page_is_never_two_seconds_old(edge: Edge) -> None:
    """Whatever the pause between requests, a page was made less than 2 s before it was requested."""
    edge.web.respond = lambda path: Response(body=str(time.time()), headers=PAGE)
    ages = []
    states = set()
    started = time.time()

    for pause in itertools.cycle((0.0, 0.1, 0.4, 0.9, 1.3, 0.05)):
        requested = time.time()
        reply = send(edge.port, edge.path)
        ages.append(requested - float(reply.body))
        states.add(reply.headers["X-Cache"])
        if requested - started > 5:  # twice all pauses
            break
        time.sleep(pause)

    assert max(ages) < 2
    assert {"HIT", "STALE"} <= states
    assert len(edge.web.requests) < len(ages)


def test_status_is_cached_without_cookies_and_served_ten_seconds_without_the_gate(edge: Edge) -> None:
    """While the gate is down, a status is less than 11 s old when it is requested: nginx counts whole
    seconds.
    """
    path = f"/line/{edge.path.removeprefix('/drops/')}status.json"
    edge.gate.respond = lambda path: Response(
        body=str(time.time()), headers={"Cache-Control": "public, s-maxage=1"}
    )

    reply = send(edge.port, f"{path}?t=1", Cookie="ticket-x=1")
    edge.gate.respond = lambda path: Response(status=502)
    ages = []
    while reply.status == 200:
        time.sleep(0.1)
        requested = time.time()
        reply = send(edge.port, path)
        if reply.status == 200:
            ages.append(requested - float(reply.body))

    assert "Cookie" not in edge.gate.requests[0].headers
    assert edge.gate.requests[0].path == path
    assert 3 < max(ages) < 11
    assert reply.status == 503


def test_the_line_of_an_unknown_drop_is_asked_for_once(edge: Edge) -> None:
    path = f"/line/{edge.path.removeprefix('/drops/')}status.json"
    edge.gate.respond = lambda path: Response(status=404, headers={"Cache-Control": "public, s-maxage=5"})

    replies = [send(edge.port, path) for _ in range(20)]

    assert {reply.status for reply in replies} == {404}
    assert len(edge.gate.requests) == 1


def test_tier_that_is_down_gets_our_own_error_page() -> None:
    unused = ports.free()["PORT_WEB"]
    folder = ROOT / "var" / f"test-{os.getpid()}-down"
    port_numbers = ports.free() | {"PORT_WEB": unused, "PORT_GATE": unused, "PORT_HOOKS": unused}
    try:
        with Stack(folder=folder, programs=["edge"], port_numbers=port_numbers):
            replies = [
                send(port_numbers["PORT_EDGE"], path)
                for path in ("/", "/orders/t/", "/line/x/", "/api/v1/drops/")
            ]
    finally:
        remove(folder)

    assert [reply.status for reply in replies] == [503] * 4
    assert [reply.headers["Retry-After"] for reply in replies] == ["10"] * 4
    assert [reply.headers["Cache-Control"] for reply in replies] == ["no-store"] * 4
    assert all("The shop is temporarily unavailable." in reply.body for reply in replies)
    assert replies[3].headers["Content-Type"] == "application/problem+json"


def test_static_files_are_compressed_and_cached_for_good_if_named_by_hash(edge: Edge) -> None:
    static = ROOT / "var" / f"test-{os.getpid()}-edge" / "static"
    (static / "shop.0123456789ab.css").write_text("a{b:c}" * 200)
    (static / "shop.css").write_text("a{b:c}" * 200)

    hashed = send(edge.port, "/static/shop.0123456789ab.css", Accept_Encoding="gzip")

    assert hashed.headers["Content-Encoding"] == "gzip"
    assert hashed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert send(edge.port, "/static/shop.css").headers["Cache-Control"] == "public, max-age=60"
    assert send(edge.port, "/static/none.css").status == 404
    assert not edge.web.requests


@pytest.mark.parametrize(
    "variables",
    [{}, {"EDGE_TRUSTED": "10.0.0.0/8,::1", "EDGE_LIMITS": "1", "EDGE_ACCESS_LOG": "access.log"}],
)
def test_every_rendering_passes_nginx(edge: Edge, variables: dict[str, str]) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "EDGE_FOLDER": str(edge.stack.run / "rendering"),
        "ALLOWED_HOSTS": "shop.example, .shop.example",
        "SHOP_ORIGIN": "https://shop.example",
        "STATIC_ROOT": "/srv/static",
        "MEDIA_ROOT": "/srv/media/",
        "EDGE_LISTEN": "127.0.0.1:8443",
    }

    process = subprocess.run(
        [sys.executable, "-m", "deploy.nginx", "--test"],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0, process.stderr


def test_render_names_all_missing_variables() -> None:
    with pytest.raises(rendering.EdgeError, match="ALLOWED_HOSTS, SHOP_ORIGIN, STATIC_ROOT, MEDIA_ROOT"):
        rendering.render({"RUN_DIR": "/tmp"})
