"""The edge, as deploy/nginx renders it, in front of floors that the tests play."""

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
from types import SimpleNamespace
from typing import NamedTuple

import pytest

from deploy.local.runner import ports
from deploy.local.runner.programs import ROOT
from deploy.local.runner.stack import Stack, remove
from deploy.nginx import rendering
from tests.deploy.upstream import Answer, Upstream
from tests.servers import until

PAGE = {"Cache-Control": "public, max-age=0, s-maxage=1", "Vary": "Accept-Encoding"}
NAMES = itertools.count()


class Reply(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: str


@pytest.fixture(scope="module")
def edge() -> Iterator[SimpleNamespace]:
    """nginx, and the three floors behind it: `get(path)`, and `.web.answer = …`."""
    folder = ROOT / "var" / f"test-{os.getpid()}-edge"
    with (
        Upstream(lambda path: Answer()) as web,
        Upstream(lambda path: Answer()) as gate,
        Upstream(lambda path: Answer()) as hooks,
    ):
        chosen = ports.free() | {"PORT_WEB": web.port, "PORT_GATE": gate.port, "PORT_HOOKS": hooks.port}
        stack = Stack(folder=folder, programs=["edge"], port_numbers=chosen, settings={"EDGE_WORKERS": "2"})
        try:
            with stack:
                yield SimpleNamespace(web=web, gate=gate, hooks=hooks, stack=stack, port=chosen["PORT_EDGE"])
        finally:
            remove(folder)


@pytest.fixture
def floors(edge: SimpleNamespace) -> SimpleNamespace:
    """The edge with nothing asked yet; `path` is an address that no other test has used."""
    for floor in (edge.web, edge.gate, edge.hooks):
        floor.asked.clear()
        floor.answer = lambda path: Answer(body=path, headers=PAGE)
    edge.path = f"/drops/{next(NAMES)}/"
    return edge


def ask(edge: SimpleNamespace, path: str, *, method: str = "GET", body: str | None = None, **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", edge.port, timeout=20)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body, headers=named)
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read().decode(errors="replace"))
    finally:
        connection.close()


@pytest.mark.parametrize(
    "path", ["/metrics/scaling.json", "/metrics/", "//metrics/scaling.json", "/%6detrics/scaling.json"]
)
def test_metrics_do_not_pass(floors, path):
    assert (ask(floors, path).status, floors.web.asked) == (404, [])


def test_pages_are_asked_without_cookies_query_and_language(floors):
    reply = ask(floors, f"{floors.path}?utm=1", Cookie="session=1", Authorization="Basic x", Accept_Language="de")

    asked = floors.web.asked[0]
    assert (reply.status, reply.body, asked.path) == (200, floors.path, floors.path)
    assert not {"Cookie", "Authorization", "Accept-Language"} & set(asked.headers)
    assert asked.headers["Host"] == f"127.0.0.1:{floors.port}"
    assert reply.headers["Cache-Control"] == "public, max-age=0, s-maxage=1"


def test_pages_are_kept_whatever_query_host_and_encoding_are_spelt_like(floors):
    floors.web.answer = lambda path: Answer(body=path, headers=PAGE | {"Cache-Control": "public, s-maxage=60"})
    spelt = ["gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8", "GZIP", "", "br", "gzip;q=0", "deflate"]

    for number, encoding in enumerate(spelt):
        ask(floors, f"{floors.path}?{number}", Accept_Encoding=encoding, Host=f"127.0.0.1:{number + 1}")

    assert [asked.headers.get("Accept-Encoding") for asked in floors.web.asked] == ["gzip", None]


@pytest.mark.parametrize(
    "path",
    [f"/drops/x/{page}/" for page in ("pick", "hold", "mine")]
    + [f"/de/{page}/" for page in ("drops/x/mine", "holds/t", "orders/t")]
    + [f"/{page}" for page in ("holds/t/", "orders/t/state.json", "admin/", "admin/drops/drop/?q=1", "healthz/ready")],
)
def test_private_paths_reach_web_each_time_with_cookies(floors, path):
    floors.web.answer = lambda path: Answer(body="mine", headers=PAGE)  # even if the app said that they may be kept

    replies = [ask(floors, path, Cookie="session=1") for _ in range(3)]

    assert [(asked.path, asked.headers["Cookie"]) for asked in floors.web.asked] == [(path, "session=1")] * 3
    assert [reply.headers["X-Cache"] for reply in replies] == [None] * 3


@pytest.mark.parametrize("path", ["/line/x/", "/line/x/join", "/line/x/enter", "/line/healthz"])
def test_line_goes_to_the_gate_with_cookies(floors, path):
    ask(floors, path, method="POST", body="key=1", Cookie="ticket-x=1", Origin="http://shop")

    asked = floors.gate.asked[0]
    assert (asked.method, asked.path, asked.headers["Cookie"]) == ("POST", path, "ticket-x=1")
    assert not floors.web.asked


def test_webhooks_go_to_hooks_as_they_are(floors):
    reply = ask(floors, "/webhooks/stripe/", method="POST", body="x" * 300_000, Stripe_Signature="t=1,v1=a")

    assert reply.status == 200
    assert floors.hooks.asked[0].headers["Stripe-Signature"] == "t=1,v1=a"


def test_large_bodies_are_refused_but_for_the_admin(floors):
    refused = [ask(floors, path, method="POST", body="x" * 40_000).status for path in ("/holds/t/pay/", "/line/x/join")]

    assert refused == [413, 413]
    assert ask(floors, "/admin/shop/product/add/", method="POST", body="x" * 400_000).status == 200


def test_what_sets_a_cookie_is_not_kept(floors):
    floors.web.answer = lambda path: Answer(body="x", headers=PAGE | {"Set-Cookie": "a=1"})

    for _ in range(3):
        ask(floors, floors.path)

    assert len(floors.web.asked) == 3


def test_unknown_hosts_are_refused(floors):
    assert ask(floors, "/", Host="evil.example").status == 421
    assert not floors.web.asked


def test_address_and_request_name_are_passed_on(floors):
    reply = ask(floors, "/orders/t/", X_Request_ID="abcdefgh12", X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="https")

    headers = floors.web.asked[0].headers
    assert (headers["X-Request-ID"], headers["X-Forwarded-For"], headers["X-Forwarded-Proto"]) == (
        "abcdefgh12",
        "127.0.0.1",
        "http",
    )
    assert reply.headers["X-Request-ID"] == "abcdefgh12"
    assert len(ask(floors, floors.path, X_Request_ID="not\tours").headers["X-Request-ID"]) == 32


def crowd_on_an_old_copy(edge: SimpleNamespace, new: Callable[[str], Answer]) -> list[Reply]:
    """What 60 people get, 120 times, of a page that the edge has an old copy of and may not show any more."""
    ask(edge, edge.path)
    old = edge.web.asked[0].at + 3.2  # past the second that it is good for and the one it is bridged
    until(lambda: time.time() >= old, "the copy's age")
    edge.web.asked.clear()
    edge.web.answer = new
    with ThreadPoolExecutor(60) as crowd:
        return list(crowd.map(lambda _: ask(edge, edge.path), range(120)))


def test_crowd_on_a_page_nobody_had_open_reaches_web_once_a_second(floors):
    replies = crowd_on_an_old_copy(floors, lambda path: Answer(body="new", headers=PAGE, seconds=0.3))

    assert Counter(reply.body for reply in replies) == {"new": 120}
    assert len(floors.web.asked) <= 1 + len({int(asked.at) for asked in floors.web.asked})


def test_crowd_without_the_shield_reaches_web_all_at_once(floors):
    """The control: nginx locks places that are empty, not those that are old. Nobody is answered before all ask."""

    def slow(path: str) -> Answer:
        until(lambda: len(floors.web.asked) > 20, "a crowd at web", seconds=20)
        return Answer(body="new", headers=PAGE)

    port = ports.free()["PORT_EDGE"]
    environment = floors.stack.environment | {"EDGE_FOLDER": str(floors.stack.run / "careless"), "PORT_EDGE": str(port)}
    folder = rendering.prepare(environment)
    conf = (folder / "nginx.conf").read_text()
    shield = f"upstream shield {{ server unix:{folder}/shield.sock;"
    assert conf.count(shield) == 1
    (folder / "nginx.conf").write_text(conf.replace(shield, f"upstream shield {{ server 127.0.0.1:{floors.web.port};"))
    careless = SimpleNamespace(**{**vars(floors), "port": port})
    command = [rendering.binary(), "-p", f"{folder}/", "-c", "nginx.conf", "-e", "stderr"]
    with subprocess.Popen(command) as nginx:
        try:
            until(lambda: listens(port), "nginx listens")
            crowd_on_an_old_copy(careless, slow)
        finally:
            nginx.terminate()

    assert len(floors.web.asked) > 20


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_page_is_never_two_seconds_old(floors):
    """Whoever asks, after whatever pause: what comes was made less than 2 s before it was asked for."""
    floors.web.answer = lambda path: Answer(body=str(time.time()), headers=PAGE)
    ages, states, begun = [], set(), time.time()

    for pause in itertools.cycle((0.0, 0.1, 0.4, 0.9, 1.3, 0.05)):
        asked = time.time()
        reply = ask(floors, floors.path)
        ages.append(asked - float(reply.body))
        states.add(reply.headers["X-Cache"])
        if asked - begun > 9:
            break
        time.sleep(pause)

    assert max(ages) < 2
    assert {"HIT", "STALE"} <= states
    assert len(floors.web.asked) < len(ages)


def test_status_is_kept_without_cookies_and_bridged_for_ten_seconds(floors):
    """When the gate is away what comes was made less than 11 s before it was asked for (nginx counts whole seconds)."""
    path = f"/line{floors.path[6:]}status.json"
    floors.gate.answer = lambda path: Answer(body=str(time.time()), headers={"Cache-Control": "public, s-maxage=1"})

    reply = ask(floors, f"{path}?t=1", Cookie="ticket-x=1")
    floors.gate.answer = lambda path: Answer(status=502)
    ages = []
    while reply.status == 200:
        time.sleep(0.1)
        asked = time.time()
        if (reply := ask(floors, path)).status == 200:
            ages.append(asked - float(reply.body))

    assert "Cookie" not in floors.gate.asked[0].headers
    assert floors.gate.asked[0].path == path
    assert 3 < max(ages) < 11
    assert reply.status == 503


def test_floor_that_is_away_is_told_in_our_words(floors):
    away = ports.free()["PORT_WEB"]
    folder = ROOT / "var" / f"test-{os.getpid()}-away"
    chosen = ports.free() | {"PORT_WEB": away, "PORT_GATE": away, "PORT_HOOKS": away}
    try:
        with Stack(folder=folder, programs=["edge"], port_numbers=chosen):
            edge = SimpleNamespace(port=chosen["PORT_EDGE"])
            replies = [ask(edge, path) for path in ("/", "/orders/t/", "/line/x/", "/api/v1/drops/")]
    finally:
        remove(folder)

    assert [(reply.status, reply.headers["Retry-After"], reply.headers["Cache-Control"]) for reply in replies] == [
        (503, "10", "no-store")
    ] * 4
    assert all("The shop is temporarily unavailable." in reply.body for reply in replies)
    assert replies[3].headers["Content-Type"] == "application/problem+json"


def test_files_are_compressed_and_kept_for_good_if_their_name_holds_their_hash(floors):
    static = ROOT / "var" / f"test-{os.getpid()}-edge" / "static"
    (static / "shop.0123456789ab.css").write_text("a{b:c}" * 200)
    (static / "shop.css").write_text("a{b:c}" * 200)

    hashed = ask(floors, "/static/shop.0123456789ab.css", Accept_Encoding="gzip")

    assert hashed.headers["Content-Encoding"] == "gzip"
    assert hashed.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert ask(floors, "/static/shop.css").headers["Cache-Control"] == "public, max-age=60"
    assert ask(floors, "/static/none.css").status == 404
    assert not floors.web.asked


@pytest.mark.parametrize(
    "variables",
    [{}, {"EDGE_TRUSTED": "10.0.0.0/8,::1", "EDGE_LIMITS": "1", "EDGE_ACCESS_LOG": "access.log"}],
)
def test_every_rendering_passes_nginx(edge, variables):
    environment = {
        "PATH": os.environ["PATH"],
        "EDGE_FOLDER": str(edge.stack.run / "rendering"),
        "ALLOWED_HOSTS": "shop.example, .shop.example",
        "SHOP_ORIGIN": "https://shop.example",
        "STATIC_ROOT": "/srv/static",
        "MEDIA_ROOT": "/srv/media/",
        "EDGE_LISTEN": "127.0.0.1:8443",
    }

    done = subprocess.run(
        [sys.executable, "-m", "deploy.nginx", "--test"],
        cwd=ROOT,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_missing_variables_are_all_named():
    with pytest.raises(rendering.EdgeError, match="ALLOWED_HOSTS, SHOP_ORIGIN, STATIC_ROOT, MEDIA_ROOT"):
        rendering.render({"RUN_DIR": "/tmp"})
