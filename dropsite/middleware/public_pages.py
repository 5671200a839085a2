"""Public pages: no cookie, no text of one visitor, compressed once for the edge's cache."""

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.text import compress_string

TAKES_GZIP = re.compile(r"(^|[ ,])gzip(?!\s*;\s*q=0(\.0+)?\s*($|,))", re.IGNORECASE)  # the edge's own rule
MAY_VARY_ON = {"", "accept", "accept-encoding", "accept-language"}  # what the edge normalises, or one answer has only


class NotPublic(AssertionError):
    """An answer says that everybody may have it and is made for one visitor. A fault of ours: better no page at all."""


class PublicPagesMiddleware:
    """Compress what the edge may cache; whatever else is left alone, since compressed secrets can be guessed."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_public(response):
            refuse_what_is_personal(request, response)
            response["Vary"] = "Accept-Encoding"
            if not response.streaming and not response.has_header("Content-Encoding"):
                compress(request, response)
        return response


def is_public(response: HttpResponse) -> bool:
    """Say whether the edge may keep the answer and give it to everybody."""
    return "public" in response.get("Cache-Control", "")


def refuse_what_is_personal(request: HttpRequest, response: HttpResponse) -> None:
    """Let no public answer pass that sets a cookie or was made from one. Raises NotPublic."""
    varies = {name.strip().lower() for name in response.get("Vary", "").split(",")}
    if response.cookies:
        raise NotPublic(f"{request.path} is public and sets {', '.join(response.cookies)}.")
    if not varies <= MAY_VARY_ON:
        raise NotPublic(f"{request.path} is public and varies on {', '.join(sorted(varies - MAY_VARY_ON))}.")


def compress(request: HttpRequest, response: HttpResponse) -> None:
    """Send the body in gzip to who takes it; the same page gives the same bytes."""
    if TAKES_GZIP.search(request.headers.get("Accept-Encoding", "")) and response.content:
        response.content = compress_string(response.content)
        response["Content-Encoding"] = "gzip"
        response["Content-Length"] = str(len(response.content))


def shop_words(request: HttpRequest) -> dict[str, str]:
    """What every template may say of the shop."""
    return {"shop_name": settings.SHOP_NAME, "shop_origin": settings.SHOP_ORIGIN}
