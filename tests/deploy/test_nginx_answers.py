"""Cached answers match what was asked for, private ones are never cached, and nginx's own are the shop's."""

import itertools
import json
import re

import pytest

from deploy.nginx import rendering
from dropsite import settings
from dropsite.middleware import public_pages
from tests.deploy.edge import PAGE, Edge, Reply, careless, send
from tests.deploy.upstream import Response

pytestmark = pytest.mark.ops

KEPT = {"Cache-Control": "public, max-age=0, s-maxage=60"}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
HTML, JSON, ANY = "text/html, */*;q=0.1", "application/json, */*;q=0.1", "*/*"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
NUMBERS = itertools.count()


@pytest.mark.parametrize(
    ("accept", "normalised"),
    [
        (BROWSER, HTML),
        ("text/html", HTML),
        ("TEXT/HTML", HTML),
        ("text/html;q=0.9, application/json;q=0.8", HTML),
        ("application/json", JSON),
        ("application/json, text/plain, */*", JSON),
        ("application/json, text/html;q=0.5", JSON),
        ("application/problem+json", JSON),
        ("application/vnd.oai.openapi+json", JSON),
        ("application/*", JSON),
        ("text/html;q=0, application/json", JSON),
        ("*/*", ANY),
        ("", ANY),
        ("image/avif,image/webp,*/*", ANY),
        ("x" * 500, ANY),
    ],
)
def test_web_is_asked_for_one_of_three_formats(edge: Edge, accept: str, normalised: str) -> None:
    send(edge.port, edge.path, Accept=accept)

    assert edge.web.requests[0].headers["Accept"] == normalised


@pytest.mark.parametrize(
    "path", ["/nowhere-{}/", "/api/v1/schema/{}/", "/line/x-{}/status.json", "/drops/{}-x/"]
)
def test_a_cached_answer_is_in_the_format_that_was_asked_for(edge: Edge, path: str) -> None:
    path = path.format(next(NUMBERS))
    tier = edge.gate if path.startswith("/line/") else edge.web

    def respond(_path: str) -> Response:
        asked = tier.requests[-1].headers["Accept"]
        kind = "application/problem+json" if asked.startswith("application/json") else "text/html"
        return Response(status=404, body=kind, headers=KEPT | {"Content-Type": kind, "Vary": "Accept"})

    tier.respond = respond
    asked = [BROWSER, "application/json", BROWSER, "application/json"]

    replies = [send(edge.port, path, Accept=accept) for accept in asked]

    assert [reply.body for reply in replies] == ["text/html", "application/problem+json"] * 2
    assert len(tier.requests) == 2
    assert {reply.headers["Vary"] for reply in replies} == {"Accept, Accept-Encoding"}


def test_with_one_key_for_all_formats_a_browser_gets_json(edge: Edge) -> None:
    """The control."""

    def respond(_path: str) -> Response:
        return Response(body=edge.web.requests[-1].headers["Accept"], headers=KEPT)

    edge.web.respond = respond
    with careless(edge, {"|$encoding|$accept;": "|$encoding;"}) as without:
        replies = [send(without.port, edge.path, Accept=accept) for accept in ("application/json", BROWSER)]

    assert [reply.body for reply in replies] == [JSON, JSON]


@pytest.mark.parametrize("accept", [BROWSER, "application/json"])
def test_private_tiers_get_accept_as_it_was_sent(edge: Edge, accept: str) -> None:
    send(edge.port, "/holds/t/", Accept=accept)
    send(edge.port, "/line/x/", Accept=accept)

    received = [tier.requests[0].headers["Accept"] for tier in (edge.web, edge.gate)]
    assert received == [accept, accept]


@pytest.mark.parametrize("status", [200, 301, 303, 403, 404, 405, 409, 410, 422])
@pytest.mark.parametrize("header", [{}, PAGE, {"Cache-Control": "max-age=60"}])
@pytest.mark.parametrize(
    "path",
    ["/holds/t/", "/orders/t/state.json", "/drops/x/pick/", "/de/drops/x/mine/", "/admin/", "/line/x/"],
)
def test_private_means_private_for_every_status(
    edge: Edge, path: str, header: dict[str, str], status: int
) -> None:
    for tier in (edge.web, edge.gate):
        tier.respond = lambda path: Response(status=status, headers=header)

    reply = send(edge.port, path)

    assert (reply.status, reply.headers["Cache-Control"]) == (status, "no-store")


PRIVATE = (
    "/holds/t/ /orders/t/ /orders/t/x /de/holds/t/pay/ /pt-br/orders/t/ /drops/x/pick/ /drops/x/hold"
    " /en/drops/x/mine/ /admin/ /admin /healthz/ready /webhooks/stripe/"
)
PUBLIC = "/ /drops/x/ /drops/x/check/ /how/ /api/v1/drops/ /holdsx/ /drops/x/picks/ /orders"


@pytest.mark.parametrize("path", [*PRIVATE.split(), *PUBLIC.split()])
def test_web_and_edge_agree_on_what_is_private(edge: Edge, path: str) -> None:
    for tier in (edge.web, edge.hooks):
        tier.respond = lambda path: Response(headers=PAGE)

    is_cached = send(edge.port, path).headers["X-Cache"] is not None

    assert is_cached is not public_pages.is_private_path(path)


def own(edge: Edge, status: int, *, accept: str) -> Reply:
    """Return an answer of nginx's own of this status."""
    name = {"413": "POST", "405": "POST"}.get(str(status), "GET")
    path = {404: "/media/none.jpg", 405: "/static/none.svgz", 414: "/" + "a" * 40_000}.get(
        status, "/orders/t/"
    )
    if status == 413:
        return send(edge.port, path, method=name, body="x" * 40_000, Accept=accept)
    if status == 421:
        return send(edge.port, path, Accept=accept, Host="evil.example")
    if status == 400:
        return send(edge.port, path, method="get", Accept=accept)
    return send(edge.port, path, method=name, Accept=accept)


@pytest.mark.parametrize("accept", [BROWSER, "application/json", "*/*"])
@pytest.mark.parametrize("status", [400, 404, 405, 413, 414, 421])
def test_answers_of_nginx_are_the_shop_s_own(edge: Edge, status: int, accept: str) -> None:
    (edge.stack.folder / "static/none.svgz").write_text("x")

    reply = own(edge, status, accept=accept)

    assert reply.status == status
    assert {name: reply.headers[name] for name in SECURITY} == SECURITY
    assert reply.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in reply.headers["Content-Security-Policy"]
    assert "nginx" not in reply.body
    # nginx refuses a malformed line, or one that is too long, before it reads any header.
    if accept == "application/json" and status not in {400, 414}:
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert json.loads(reply.body)["status"] == status
    else:
        assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "<h1>" in reply.body
    assert not edge.web.requests


@pytest.mark.parametrize(
    "path", ["/static/", "/static/none.css", "/static/none.png", "/media/", "/metrics/x", "/edge/404.html"]
)
def test_missing_files_and_folders_are_pages_that_say_so(edge: Edge, path: str) -> None:
    reply = send(edge.port, path, Accept=BROWSER)

    assert (reply.status, "We can't find that page." in reply.body) == (404, True)


def test_every_error_has_a_page_in_both_formats(edge: Edge) -> None:
    template = (rendering.HERE / "nginx.conf.template").read_text()
    statuses = {int(status) for status in re.findall(r"/edge/(\d+)\.\$page", template)}
    folder = edge.stack.run / "edge/pages"

    assert statuses == set(rendering.PAGES)
    for status in statuses:
        assert json.loads((folder / f"{status}.problem").read_text())["status"] == status
        assert "<h1>" in (folder / f"{status}.html").read_text()


@pytest.mark.parametrize(
    "path", ["/", "/holds/t/", "/line/x/", "/webhooks/stripe/", "/static/kept.css", "/media/kept.txt"]
)
def test_security_headers_are_on_everything_once(edge: Edge, path: str) -> None:
    (edge.stack.folder / "static/kept.css").write_text("x")
    (edge.stack.folder / "media").mkdir(exist_ok=True)
    (edge.stack.folder / "media/kept.txt").write_text("x")
    for tier in (edge.web, edge.gate, edge.hooks):
        tier.respond = lambda path: Response(headers=SECURITY | {"X-Frame-Options": "SAMEORIGIN"})

    reply = send(edge.port, path)

    assert reply.status == 200
    assert {name: reply.headers.get_all(name) for name in SECURITY} == {
        name: [value] for name, value in SECURITY.items()
    }


@pytest.mark.parametrize(("demo", "expected"), [("1", ""), ("", rendering.HSTS)])
def test_https_is_remembered_outside_the_demo(edge: Edge, demo: str, expected: str) -> None:
    config = rendering.render(edge.stack.environment | {"DEMO": demo})

    assert f'map $request_scheme $hsts {{ default ""; https "{expected}"; }}' in config
    assert settings.SECURE_HSTS_SECONDS in {0, 31_536_000}
