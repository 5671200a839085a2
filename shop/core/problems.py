"""Problem details (RFC 9457): the refusal that a program gets, and whether a program is asking.

`type` is about:blank, so `title` is the status's own name; `detail` says what to do. Refused fields are
listed in the extension member `errors`, a list of {"field", "detail"}.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from shop.core import caching

MEDIA_TYPE = "application/problem+json"


def body(*, status: int, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """Return the members of a problem; `errors` is left out if there are none."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors:
        problem["errors"] = list(errors)
    return problem


def response(*, status: int, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> HttpResponse:
    """Return a problem as a response that is never cached."""
    problem = body(status=status, detail=detail, errors=errors)
    return caching.private(JsonResponse(problem, status=status, content_type=MEDIA_TYPE))


def is_wanted(request: HttpRequest) -> bool:
    """Whether a program is asking: every caller of the API is one, and our scripts' fetch() accepts JSON."""
    if request.path.startswith("/api/"):
        return True
    # A browser's address bar names text/html; a bare */* (curl, a probe) gets the page.
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"
