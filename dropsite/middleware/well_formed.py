"""Requests as browsers send them from our pages, whatever a stranger sends.

Forms are in UTF-8, addresses contain no NUL, cookies no control characters. Postgres refuses NUL in a text.
"""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f]")
MEDIA_TYPE = re.compile(r"\s*([\w.+-]+/[\w.+-]+)\s*(?:;|\Z)", re.ASCII)
BOUNDARY = re.compile(r';\s*boundary=("?)([\w\'()+,./:=?-]{1,70})\1\s*(?:;|\Z)', re.ASCII | re.IGNORECASE)


def plain_content_types(application: "WSGIApplication") -> "WSGIApplication":
    """Return the application, which then sees only the parts of a request's Content-Type that our forms have.

    Django reads the others before any middleware. A charset such as "idna" or "hex" makes reading the form
    fail, "unicode_escape" makes lone surrogates of it, and some parameters make the request itself fail.
    """

    def with_plain_type(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        environ["CONTENT_TYPE"] = plain_content_type(environ.get("CONTENT_TYPE", ""))
        return application(environ, start_response)

    return with_plain_type


def plain_content_type(text: str) -> str:
    """Return the media type, with its boundary if it has one; empty if the text isn't a content type."""
    found = MEDIA_TYPE.match(text)
    if found is None:
        return ""
    media_type = found[1].lower()
    boundary = BOUNDARY.search(text)
    if boundary is None:
        return media_type
    return f'{media_type}; boundary="{boundary[2]}"'


class WellFormedMiddleware:
    """Refuse addresses with NUL, and ignore cookies with control characters, which quoted ones may have."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path or "%00" in request.META["QUERY_STRING"]:
            raise BadRequest("NUL in the address")
        for name in [name for name, value in request.COOKIES.items() if CONTROL_CHARACTERS.search(value)]:
            del request.COOKIES[name]
        return self.get_response(request)
