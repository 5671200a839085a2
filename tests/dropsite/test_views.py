"""Pages for what can't be had or broke, for people and for programs."""

from html import unescape
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from dropsite import urls, views

FAULTS = {
    "400": BadRequest,
    "403": PermissionDenied,
    "404": Http404,
    "500": ZeroDivisionError,
    "503": OperationalError,
}


def stumble(request: HttpRequest, kind: str) -> HttpResponse:
    """Raise what the address names."""
    raise FAULTS[kind]


urlpatterns = [
    path("stumble/<str:kind>/", stumble),
    path("api/v1/stumble/<str:kind>/", stumble),
    *urls.urlpatterns,
]
handler400, handler403, handler404, handler500 = (
    views.bad_request,
    views.forbidden,
    views.not_found,
    views.server_error,
)
SENTENCES = {
    "400": "That request isn't valid here. Nothing was changed.",
    "403": "You don't have access to this page.",
    "404": "We can't find that page. Check the address, or go to the next drop.",
    "500": "Something went wrong on our side. Your place in line and your order are safe. "
    "If you were paying, you can't be charged twice.",
    "503": "The shop is temporarily unavailable. Your place is kept. Trying again in 10 s.",
}
pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def visitor() -> Client:
    """A browser that shows what broke instead of raising it here."""
    return Client(raise_request_exception=False)


@pytest.mark.parametrize("kind", SENTENCES)
def test_answer_a_fault_with_its_page(visitor: Client, kind: Any) -> None:
    answer = visitor.get(f"/stumble/{kind}/")

    assert answer.status_code == int(kind)
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert SENTENCES[kind].split(". ")[0] in unescape(answer.content.decode())
    assert not answer.cookies


@pytest.mark.parametrize("kind", SENTENCES)
@pytest.mark.parametrize("address", ["/api/v1/stumble/", "/stumble/"])
def test_answer_a_fault_with_a_problem_if_a_program_asks(visitor: Client, kind: Any, address: str) -> None:
    answer = visitor.get(f"{address}{kind}/", headers={"Accept": "application/json"})

    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code == int(kind)
    assert answer.json()["detail"] == SENTENCES[kind]


def test_let_the_edge_keep_a_page_that_is_nowhere(visitor: Client) -> None:
    assert visitor.get("/nowhere/")["Cache-Control"] == "public, max-age=0, s-maxage=1"
    assert visitor.get("/admin-nowhere/")["Cache-Control"] == "public, max-age=0, s-maxage=1"
    assert visitor.get("/stumble/403/")["Cache-Control"] == "no-store"
    assert visitor.get("/stumble/500/")["Cache-Control"] == "no-store"


def test_say_when_to_come_back_if_the_database_is_away(visitor: Client) -> None:
    assert visitor.get("/stumble/503/")["Retry-After"] == "10"


def test_send_security_headers_with_every_page(visitor: Client) -> None:
    answer = visitor.get("/nowhere/")

    assert sorted(answer["Content-Security-Policy"].split("; ")) == [
        "base-uri 'none'",
        "connect-src 'self'",
        "default-src 'none'",
        "font-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "img-src 'self' data:",
        "script-src 'self'",
        "style-src 'self'",
    ]
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"


def test_show_the_api_without_anything_unsafe(visitor: Client) -> None:
    answer = visitor.get("/api/v1/docs/")

    assert answer.status_code == 200
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert "<script>" not in answer.content.decode()
