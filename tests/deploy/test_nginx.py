"""The edge, as deploy/nginx renders it, in front of tiers that the tests play."""

import os
import subprocess
import sys

import pytest

from deploy.local.runner import ports
from deploy.local.runner.programs import ROOT
from deploy.local.runner.stack import Stack, remove
from deploy.nginx import rendering
from tests.deploy.edge import PAGE, Edge, send
from tests.deploy.upstream import Response

pytestmark = pytest.mark.ops


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
    [
        {},
        {"EDGE_TRUSTED": "10.0.0.0/8,::1", "EDGE_PEOPLE_PER_ADDRESS": "0", "EDGE_ACCESS_LOG": "access.log"},
        {"EDGE_PEOPLE_PER_ADDRESS": "1", "EDGE_UNLIMITED": "10.0.0.0/8, 2001:db8::/32,192.0.2.1"},
        {"EDGE_PEOPLE_PER_ADDRESS": "9999999"},
    ],
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
