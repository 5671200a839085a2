"""Exceptions of single responses to the site's policy."""

from typing import Any

from django.http import HttpResponse

from shop.core import csp


def allowed(response: HttpResponse) -> Any:
    return getattr(response, csp.ATTRIBUTE)


def test_allow_adds_to_what_was_allowed_before() -> None:
    response = HttpResponse()

    csp.allow(response, {"style-src": ["x"], "frame-src": ["y"]})
    csp.allow(response, {"style-src": ["z"]})

    assert allowed(response) == {"style-src": ["x", "z"], "frame-src": ["y"]}
