"""Request ids, the origin of posts, what may be kept for everybody."""

import gzip
import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from dropsite.middleware.origin import OriginMiddleware
from dropsite.middleware.public_pages import PersonalPageMarkedPublic, PublicPagesMiddleware
from dropsite.middleware.request_id import RequestIdMiddleware

ask = RequestFactory()


def answer_with(**headers: Any) -> Any:
    """A view that answers "a page" with these headers; cookie="x" sets one."""

    def view(request: Any) -> Any:
        cookie = headers.pop("cookie", None)
        response = HttpResponse("a page" * 100, headers={k.replace("_", "-"): v for k, v in headers.items()})
        if cookie:
            response.set_cookie(cookie, "1")
        return response

    return view


def test_give_each_request_a_name() -> None:
    first, second = (RequestIdMiddleware(answer_with())(ask.get("/"))["X-Request-ID"] for _ in range(2))

    assert re.fullmatch(r"[0-9a-f]{32}", first)
    assert first != second


@pytest.mark.parametrize(
    ("given", "kept"), [("edge-0123456789", True), ("short", False), ("a\nb: c 12345", False)]
)
def test_keep_the_edges_name_if_it_is_well_formed(given: str, kept: bool) -> None:
    request = ask.get("/", headers={"X-Request-ID": given})

    name = RequestIdMiddleware(answer_with())(request)["X-Request-ID"]

    assert (name == given) is kept
    assert request.headers["X-Request-ID"] == name


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"Origin": "ours"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "ours"}, 403),
        ({}, 403),
    ],
)
def test_refuse_a_post_of_another_site(settings: Settings, headers: dict[str, Any], status: int) -> None:
    headers = {name: settings.SHOP_ORIGIN if value == "ours" else value for name, value in headers.items()}

    assert OriginMiddleware(answer_with())(ask.post("/drops/x/hold/", headers=headers)).status_code == status


@pytest.mark.parametrize(
    ("method", "path"), [("get", "/drops/x/"), ("post", "/webhooks/stripe/"), ("post", "/api/v1/")]
)
def test_let_pass_what_no_other_site_can_misuse(method: str, path: str) -> None:
    request = getattr(ask, method)(path, headers={"Sec-Fetch-Site": "cross-site"})

    assert OriginMiddleware(answer_with())(request).status_code == 200


def test_say_as_a_problem_that_another_site_posted_if_a_script_asks() -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Accept": "application/json"}

    refused = OriginMiddleware(answer_with())(ask.post("/holds/x/pay/", headers=headers))

    assert (refused.status_code, refused["Content-Type"]) == (403, "application/problem+json")


@pytest.mark.parametrize(
    ("accepts", "packed"),
    [
        ("gzip, br", True),
        ("br;q=1, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0, br", False),
        ("br", False),
    ],
)
def test_compress_public_pages_for_who_takes_it(accepts: str, packed: bool) -> None:
    view = PublicPagesMiddleware(answer_with(Cache_Control="public, max-age=0, s-maxage=1"))

    page = view(ask.get("/", headers={"Accept-Encoding": accepts}))

    assert page.get("Content-Encoding") == ("gzip" if packed else None)
    assert (gzip.decompress(page.content) if packed else page.content) == b"a page" * 100
    assert page["Vary"] == "Accept-Encoding"


def test_compress_the_same_page_into_the_same_bytes() -> None:
    view = PublicPagesMiddleware(answer_with(Cache_Control="public, s-maxage=1"))

    first, second = (view(ask.get("/", headers={"Accept-Encoding": "gzip"})).content for _ in range(2))

    assert first == second


def test_leave_personal_pages_uncompressed() -> None:
    view = PublicPagesMiddleware(answer_with(Cache_Control="no-store", cookie="hold"))

    page = view(ask.get("/", headers={"Accept-Encoding": "gzip"}))

    assert page.content == b"a page" * 100
    assert not page.has_header("Content-Encoding")


@pytest.mark.parametrize(
    "personal", [{"cookie": "csrf"}, {"Vary": "Cookie"}, {"Vary": "Accept-Encoding, cookie"}]
)
def test_break_a_public_page_that_is_made_for_one_visitor(personal: dict[str, str]) -> None:
    view = PublicPagesMiddleware(answer_with(Cache_Control="public, s-maxage=1", **personal))

    with pytest.raises(PersonalPageMarkedPublic):
        view(ask.get("/"))
