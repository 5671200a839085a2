"""Every address is either everybody's or one visitor's, and answers accordingly."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver
from django.urls.resolvers import URLPattern, URLResolver

from drops import tokens
from drops.models import Drop
from tests.factories import make_drop, make_hold

pytestmark = pytest.mark.django_db

PUBLIC = {"front", "drop", "check", "archive", "archive-page", "how", "sitemap", "robots"} | {
    f"api-{name}" for name in ("drops", "drop", "schema", "docs")
}
PERSONAL = {
    "mine",
    "pick",
    "hold",
    "checkout",
    "pay",
    "quote",
    "change-hold",
    "give-back",
    "payment-return",
    "order",
    "order-state",
}
MACHINES = {"metrics-scaling", "metrics-prometheus", "live", "ready", "stripe-webhook"}
PHASES = ("announced", "lobby", "opening", "live", "paused", "sold out", "closed", "cancelled")
COOKIES = {"csrf": "a" * 32, "session": "b" * 32}


def names(resolver: URLResolver) -> Iterator[Any]:
    """The names of all addresses but the admin's."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield pattern.name
        elif getattr(pattern, "app_name", None) != "admin":
            yield from names(pattern)


def test_know_of_every_address_whose_it_is() -> None:
    assert set(names(get_resolver())) == PUBLIC | PERSONAL | MACHINES


def ask(path: str, drop: Drop) -> tuple[Any, Any]:
    """Get the page as somebody new and as somebody with every cookie that the shop has."""
    known = COOKIES | {f"{kind}-{drop.slug}": "1" for kind in ("ticket", "index", "pass", "hold", "held")}
    visitor = Client()
    for name, value in known.items():
        visitor.cookies[name] = value
    return Client().get(path), visitor.get(path)


@pytest.mark.parametrize("phase", PHASES)
def test_show_everybody_the_same_page(phase: Any) -> None:
    drop = make_drop(phase=phase, pictures=1)
    paths = [
        "/",
        f"/drops/{drop.slug}/",
        f"/drops/{drop.slug}/check/",
        "/archive/",
        "/how/",
        "/api/v1/drops/",
    ]

    for path in [*paths, f"/api/v1/drops/{drop.slug}/", "/api/v1/schema/", "/api/v1/docs/", "/nothing/"]:
        for answer in ask(path, drop):
            assert answer.status_code == 200 or path == "/nothing/" or phase == "cancelled", path
            assert answer["Cache-Control"].startswith("public, max-age=0, s-maxage="), path
            # The schema exists as OpenAPI's own media type, too.
            assert answer["Vary"].endswith("Accept-Encoding"), path
            assert not answer.cookies, path
            assert "csrfmiddlewaretoken" not in answer.content.decode(), path
        new, known = ask(path, drop)
        assert new.content == known.content, path


def test_keep_nobodys_page() -> None:
    drop = make_drop(phase="live")
    token = tokens.hold_token(make_hold(drop=drop).uuid)

    for path in (
        f"/drops/{drop.slug}/mine/",
        f"/drops/{drop.slug}/pick/",
        f"/holds/{token}/",
        f"/holds/{token}/quote/",
    ):
        for answer in ask(path, drop):
            assert (path, answer["Cache-Control"]) == (path, "no-store")
            assert not answer.has_header("Content-Encoding")
