"""Private addresses are private for every status, and no answer is empty where a page was expected."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from drops import tokens
from tests.factories import make_drop, make_hold

pytestmark = pytest.mark.django_db

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def visitor(settings: Settings) -> Client:
    return Client(headers={"Origin": settings.SHOP_ORIGIN}, raise_request_exception=False)


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "delete", "options"])
@pytest.mark.parametrize(
    "path",
    [
        "/holds/none/",
        "/holds/none/pay/",
        "/holds/none/nowhere/",
        "/holds/none/pay",  # without its slash
        "/orders/none/",
        "/orders/none/state.json",
        "/orders/none/nowhere",
        "/drops/none/pick/",
        "/drops/none/mine/",
        "/drops/none/hold/",
        "/admin/nowhere/",
        "/metrics/nowhere",
        "/webhooks/nowhere/",
    ],
)
def test_private_means_private_for_every_status(visitor: Client, path: str, method: str) -> None:
    response = getattr(visitor, method)(path)

    assert "no-store" in response["Cache-Control"]
    assert "public" not in response["Cache-Control"]


@pytest.mark.parametrize("path", ["/nowhere/", "/drops/none/", "/holdsx/", "/orders", "/api/v1/drops/none/"])
def test_what_is_missing_for_everybody_may_be_kept(visitor: Client, path: str) -> None:
    assert "no-store" not in visitor.get(path).get("Cache-Control", "")


@pytest.mark.parametrize(
    ("headers", "kind"),
    [(BROWSER, "text/html; charset=utf-8"), ({"Accept": "application/json"}, "application/problem+json")],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/"),
        ("put", "/drops/x/"),
        ("delete", "/holds/t/"),
        ("put", "/holds/t/pay/"),
        ("get", "/webhooks/stripe/"),
    ],
)
def test_a_wrong_method_is_answered_with_what_was_asked_for(
    visitor: Client, method: str, path: str, headers: Any, kind: str
) -> None:
    response = getattr(visitor, method)(path, headers=headers)

    assert (response.status_code, response["Content-Type"]) == (405, kind)
    assert "That doesn" in response.content.decode()
    assert response["Allow"]


def test_a_page_that_is_nowhere_says_that_it_depends_on_accept(visitor: Client) -> None:
    assert visitor.get("/nowhere/")["Vary"] == "Accept, Accept-Encoding"
    assert visitor.get("/how/")["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(("method", "status"), [("get", 200), ("post", 405), ("delete", 405)])
def test_the_schema_is_kept_and_its_refusals_are_not(visitor: Client, method: str, status: int) -> None:
    response = getattr(visitor, method)("/api/v1/schema/")

    kept = "public, max-age=0, s-maxage=60" if status == 200 else "no-store"
    assert (response.status_code, response["Cache-Control"]) == (status, kept)


def test_a_schema_in_a_format_that_there_isnt_is_refused_for_this_client_only(visitor: Client) -> None:
    response = visitor.get("/api/v1/schema/", headers={"Accept": "image/png"})

    assert (response.status_code, response["Cache-Control"]) == (406, "no-store")


@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize(
    ("address", "page"),
    [("/drops/{slug}/hold/", "/drops/{slug}/pick/"), ("/holds/{token}/pay/", "/holds/{token}/")],
)
def test_a_get_of_a_forms_address_leads_to_its_page(
    visitor: Client, address: str, page: str, method: str
) -> None:
    drop = make_drop(phase="live")
    names = {"slug": drop.slug, "token": tokens.hold_token(make_hold(drop=drop).uuid)}

    response = getattr(visitor, method)(address.format(**names))

    assert response.status_code in {302, 303}
    assert response["Location"] == page.format(**names)
    assert response["Cache-Control"] == "no-store"
