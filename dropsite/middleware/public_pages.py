"""Public pages: no cookie, nothing personal, compressed once for the edge's cache."""

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.text import compress_string

from shop.core import caching

ACCEPTS_GZIP = re.compile(r"(^|[ ,])gzip(?!\s*;\s*q=0(\.0+)?\s*($|,))", re.IGNORECASE)  # as the edge decides
# Somebody's own addresses, as in deploy/nginx/nginx.conf.template: never cached, whatever the status.
PRIVATE_PATHS = re.compile(
    r"(/[a-z][a-z](-[a-z]+)?)?/((holds|orders)/|drops/[^/]+/(pick|hold|mine)(/|$))"
    r"|/(admin|healthz|metrics|webhooks)(/|$)"
)
# Headers that the edge normalises, or of which there is one version only.
ALLOWED_VARY = {"", "accept", "accept-encoding", "accept-language"}


class PersonalPageMarkedPublic(AssertionError):
    """A response is marked public but was made for one visitor.

    That is a bug of ours; no page is better than this.
    """


class PublicPagesMiddleware:
    """Compress what the edge may cache, and nothing else: compression can leak secrets (BREACH)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_private_path(request.path):
            if "no-store" not in response.get("Cache-Control", ""):
                caching.private(response)
        elif is_public(response):
            reject_personal_response(request, response)
            response["Vary"] = edge_vary(response)
            if not response.streaming and not response.has_header("Content-Encoding"):
                compress(request, response)
        return response


def is_private_path(path: str) -> bool:
    """Whether every response of this address is one visitor's own."""
    return PRIVATE_PATHS.match(path) is not None


def edge_vary(response: HttpResponse) -> str:
    """Return the headers that the edge's copies differ by: the language is in the path."""
    if "accept" in varied(response):
        return "Accept, Accept-Encoding"
    return "Accept-Encoding"


def varied(response: HttpResponse) -> set[str]:
    """Return the names of the request's headers that a response depends on, in lower case."""
    return {name.strip().lower() for name in response.get("Vary", "").split(",")}


def is_public(response: HttpResponse) -> bool:
    """Whether the edge may cache the response and serve it to everybody."""
    return "public" in response.get("Cache-Control", "")


def reject_personal_response(request: HttpRequest, response: HttpResponse) -> None:
    """Raise PersonalPageMarkedPublic if a public response sets a cookie or depends on one."""
    varies = varied(response)
    if response.cookies:
        raise PersonalPageMarkedPublic(f"{request.path} is public and sets {', '.join(response.cookies)}.")
    if not varies <= ALLOWED_VARY:
        raise PersonalPageMarkedPublic(
            f"{request.path} is public and varies on {', '.join(sorted(varies - ALLOWED_VARY))}."
        )


def compress(request: HttpRequest, response: HttpResponse) -> None:
    """Compress the body for clients that accept gzip. The same page gives the same bytes."""
    if ACCEPTS_GZIP.search(request.headers.get("Accept-Encoding", "")) and response.content:
        response.content = compress_string(response.content)
        response["Content-Encoding"] = "gzip"
        response["Content-Length"] = str(len(response.content))


def shop_context(request: HttpRequest) -> dict[str, str]:
    """Return what every template may say about the shop."""
    return {"shop_name": settings.SHOP_NAME, "shop_origin": settings.SHOP_ORIGIN}
