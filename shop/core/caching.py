"""Caching headers: public pages for the edge, private pages for nobody.

The edge counts whole seconds, so a page that is cached for one second lives for up to two.
"""

from django.http import HttpResponse


def public(response: HttpResponse, *, seconds: int) -> HttpResponse:
    """Let the edge cache the page for everybody; browsers ask each time. It must contain nothing personal."""
    response["Cache-Control"] = f"public, max-age=0, s-maxage={seconds}"
    return response


def private(response: HttpResponse) -> HttpResponse:
    """Forbid every cache to keep the page, because it is one visitor's."""
    response["Cache-Control"] = "no-store"
    return response
