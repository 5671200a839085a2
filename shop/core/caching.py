"""How long a page may be kept. The edge counts whole seconds, so what is kept for one lives up to two."""

from django.http import HttpResponse


def public(response: HttpResponse, *, seconds: int) -> HttpResponse:
    """Let the edge keep the page for everybody; browsers ask each time. Nothing in it may be of one visitor."""
    response["Cache-Control"] = f"public, max-age=0, s-maxage={seconds}"
    return response


def private(response: HttpResponse) -> HttpResponse:
    """Let nobody keep the page: it is one visitor's."""
    response["Cache-Control"] = "no-store"
    return response
