"""Every route of the web group has a fitting page for whatever a stranger sends, and never a 500."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from random import Random
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from pytest_django import Settings

from drops import tokens
from drops.waitingroom.protocol import tickets
from dropsite import wsgi
from dropsite.celery import app
from payments.orders import links
from shop.core import sign_ins
from tests.admin_clients import PLAIN
from tests.factories import make_drop, make_hold, make_pass
from tests.hostile.values import HostileRequest, Values
from tests.payments.order_factory import submit
from tests.payments.views import test_webhook
from tests.payments.views.shopping import GOOD

# What it runs, other tests run too: measuring it again would only take longer.
pytestmark = pytest.mark.no_cover

CASES = 200
SECRET = "a" * 32  # in Django's cookies: it takes them for its own
MAY_BE_UNAVAILABLE = {"healthz/live", "healthz/ready"}
ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)\$?")
HTML, JSON, PROBLEM = "text/html", "application/json", "application/problem+json"


@dataclass(frozen=True)
class Route:
    """What a route's view reads: names of fields and of cookies, without the drop's slug."""

    form: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    cookies: tuple[str, ...] = ()


CSRF = "csrfmiddlewaretoken"
QUANTITIES = ("quantity-{edition}", CSRF)
# A new route needs a line here, which names every field that its view reads.
ROUTES = {
    "healthz/live": Route(),
    "healthz/ready": Route(),
    "metrics/scaling.json": Route(),
    "metrics/prometheus": Route(),
    "webhooks/stripe/": Route(form=("event",)),
    "sitemap.xml": Route(),
    "robots.txt": Route(),
    "api/v1/drops/": Route(query=("page", "format", "cursor", "limit")),
    "api/v1/drops/<slug:slug>/": Route(query=("format",)),
    "api/v1/schema/": Route(query=("format", "lang")),
    "api/v1/docs/": Route(),
    "": Route(),
    "drops/<slug:slug>/": Route(),
    "drops/<slug:slug>/check/": Route(),
    "drops/<slug:slug>/mine/": Route(cookies=("hold", "held")),
    "drops/<slug:slug>/pick/": Route(cookies=("pass",)),
    "drops/<slug:slug>/hold/": Route(form=QUANTITIES, cookies=("pass", "csrf")),
    "archive/": Route(query=("page",)),
    "archive/<int:page>/": Route(),
    "how/": Route(),
    "holds/<str:token>/": Route(query=("country",), cookies=("hold",)),
    "holds/<str:token>/pay/": Route(form=(*GOOD, CSRF), cookies=("csrf",)),
    "holds/<str:token>/quote/": Route(query=("country",)),
    "holds/<str:token>/change/": Route(form=QUANTITIES, cookies=("csrf",)),
    "holds/<str:token>/give-back/": Route(form=(CSRF,), cookies=("csrf",)),
    "orders/return/<str:token>/": Route(),
    "orders/<str:token>/": Route(),
    "orders/<str:token>/state.json": Route(query=("bank",)),
}
LOGIN = Route(
    form=("username", "password", "code", "next", CSRF),
    query=("next",),
    cookies=("session", "csrf", "messages"),
)
# Strangers get the login page, before a view of the admin sees anything of theirs.
BEHIND_LOGIN = Route(query=("next", "q"))
COLLEAGUE = Route(query=("q", "p", "o", "all", "_to_field", "_popup", "_changelist_filters"))
COLLEAGUES_CASES = 6  # whose pages take longer


def routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[str]:
    """Return every route of the URLconf as it is written there."""
    for pattern in (resolver or get_resolver()).url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from routes(pattern, route)


ALL = sorted(set(routes()))
ADMIN = [route for route in ALL if route.startswith("admin/")]


def test_every_route_has_a_case() -> None:
    assert set(ALL) - set(ADMIN) == set(ROUTES)


class World:
    """A shop with a drop, a hold and an order, and a browser that may see all of them."""

    def __init__(self) -> None:
        drop = make_drop(phase="live", quantity=50, pictures=1)
        hold = make_hold(drop=drop, index=1)
        ordered = submit(make_hold(drop=drop, index=2), "ctoken_1")
        pass_ = make_pass(drop=drop, index=3)
        hold_token = tokens.hold_token(hold.uuid)
        self.person = User.objects.create_user("ada", password="pw", is_staff=True)
        self.slug = drop.slug
        self.edition = str(drop.editions.get().pk)
        back = links.return_url(ordered.payment.attempts.get())
        self.arguments = {
            "slug": drop.slug,
            "token": hold_token,
            "order": links.order_token(ordered.uuid),
            "return": back.split("/")[-2],
        }
        self.cookies = {
            "hold": hold_token,
            "held": "1",
            "pass": tickets.sign_pass(pass_, drop.slug, tokens.keyring("pass")),
        }
        self.fields = {
            "username": "ada",
            "password": "pw",
            "code": "123456",
            "next": "/admin/",
            "page": "1",
            "country": "DE",
            "bank": "done",
            CSRF: SECRET,
        }
        self.fields |= {name: str(value) for name, value in GOOD.items()} | {f"quantity-{self.edition}": "1"}

    def request(self, name: str, route: Route) -> tuple[HostileRequest, list[bytes]]:
        """Return a request of the route that is right, and the parts of its path that a stranger chooses."""
        arguments: list[bytes] = []

        def fill(found: re.Match[str]) -> str:
            argument = found[1] or found[2]
            if name.startswith("orders/"):
                argument = "return" if name.startswith("orders/return/") else "order"
            arguments.append(self.arguments.get(argument, "1").encode())
            return arguments[-1].decode()

        accept = JSON if name.startswith("api/") else HTML
        right = HostileRequest(
            method="POST" if route.form else "GET",
            path=b"/" + ARGUMENT.sub(fill, name).encode(),
            form=[self.field(name) for name in route.form],
            query=[self.field(name) for name in route.query],
            cookies=[self.cookie(name) for name in route.cookies],
            headers={"Origin": settings.SHOP_ORIGIN.encode(), "Accept": accept.encode()},
        )
        if name.startswith("webhooks/"):
            body, signature = test_webhook.event(settings)
            right.body, right.headers["Stripe-Signature"] = body.encode(), signature.encode()
        return right, arguments

    def field(self, name: str) -> tuple[bytes, bytes]:
        full = name.format(edition=self.edition)
        return full.encode(), self.fields.get(full, "").encode()

    def cookie(self, name: str) -> tuple[bytes, bytes]:
        if name == "browser":
            browser = sign_ins.browser_cookie(self.person)
            return browser.encode(), sign_ins.sign_browser(self.person, "").encode()
        if name in self.cookies:
            return f"{name}-{self.slug}".encode(), self.cookies[name].encode()
        return name.encode(), SECRET.encode()


@dataclass(frozen=True)
class Reply:
    status: int
    kind: str
    body: bytes


def send(request: HostileRequest) -> Reply:
    """Call the web group's own application, as gunicorn does."""
    body = request.payload()
    path = request.path.partition(b"?")[0].partition(b"#")[0]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": request.query_string().decode("latin-1"),
        "CONTENT_TYPE": request.content_type,
        "CONTENT_LENGTH": str(len(body)),
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": settings.SHOP_ORIGIN.split("//")[1],
        "HTTP_COOKIE": request.cookie_header().decode("latin-1"),
        "wsgi.input": BytesIO(body),
        "wsgi.errors": BytesIO(),
        "wsgi.url_scheme": "http",
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key.startswith("CONTENT_") else f"HTTP_{key}"] = value.decode("latin-1")
    started: list[tuple[str, dict[str, str]]] = []
    response: Any = wsgi.application(
        environ,
        lambda status, headers, *_: started.append((status, dict(headers))),  # type: ignore[arg-type]
    )
    content = b"".join(response)
    response.close()
    status, headers = started[0]
    return Reply(int(status.split()[0]), headers.get("Content-Type", "").partition(";")[0], content)


@pytest.fixture
def world(db: None, settings: Settings) -> Iterator[World]:
    """A world whose requests run in the test's own transaction, and whose broker is in memory."""
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)  # which would close the test's own connection
    own = app.conf.broker_url
    app.conf.update(broker_url="memory://", broker_read_url="memory://", broker_write_url="memory://")
    logging.disable()  # a warning for each refusal would take as long as the request
    yield World()
    logging.disable(logging.NOTSET)
    app.conf.update(broker_url=own, broker_read_url=own, broker_write_url=own)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def assert_fits(reply: Reply, name: str, request: HostileRequest) -> None:
    """Assert that the status is one that a stranger may see, with the page that fits."""
    if reply.status == 503 and name in MAY_BE_UNAVAILABLE:
        return
    assert 200 <= reply.status < 500, f"{reply.status} {request}"[:3_000]
    if reply.status >= 400 and request.method != "HEAD":
        assert reply.body, f"{reply} {request}"[:3_000]
        assert reply.kind in {HTML, JSON, PROBLEM}, f"{reply} {request}"[:3_000]


def hostile_replies(
    world: World, name: str, route: Route, *, cases: int = CASES, session: str = ""
) -> Iterator[tuple[HostileRequest, Reply]]:
    """Send a right request, then hostile ones. Each form finds the database as it was."""
    values = Values(Random(name))
    for case in range(cases):
        request, arguments = world.request(name, route)
        if session:
            request.cookies.append((b"session", session.encode()))
        if case:
            request.spoil(values, arguments)
        with kept_database() if route.form else nullcontext():
            reply = send(request)
        yield request, reply


@contextmanager
def kept_database() -> Iterator[None]:
    before = transaction.savepoint()
    yield
    transaction.savepoint_rollback(before)


@pytest.mark.parametrize("name", ROUTES)
def test_route_has_a_fitting_page_for_every_hostile_request(world: World, name: str) -> None:
    replies = list(hostile_replies(world, name, ROUTES[name]))

    assert replies[0][1].status < 400 or name in MAY_BE_UNAVAILABLE
    for request, reply in replies:
        assert_fits(reply, name, request)


@pytest.mark.parametrize("part", sorted({route.split("/")[1] for route in ADMIN}))
def test_admin_has_a_fitting_page_for_every_hostile_stranger(world: World, part: str) -> None:
    for name in ADMIN:
        if name.split("/")[1] == part:
            route = LOGIN if name == "admin/login/" else BEHIND_LOGIN
            for request, reply in hostile_replies(world, name, route):
                assert_fits(reply, name, request)


def test_admin_has_a_fitting_page_for_a_hostile_colleague(world: World) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("grace"))
    session = client.cookies["session"].value
    for name in ADMIN:
        for request, reply in hostile_replies(
            world, name, COLLEAGUE, cases=COLLEAGUES_CASES, session=session
        ):
            assert_fits(reply, name, request)
