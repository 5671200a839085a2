"""Problem details (RFC 9457): how a refusal looks to a program, and whether a program is asking.

`type` is about:blank: `title` then is the status's own name and `detail` says what to do. Refused fields stand in the
extension member `errors`, a list of {"field", "detail"}.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from shop.core import caching

MEDIA_TYPE = "application/problem+json"


def body(*, status: int, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """Build the members of a problem; `errors` only if there are any."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return problem | ({"errors": list(errors)} if errors else {})


def response(*, status: int, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> HttpResponse:
    """Answer with a problem, which nobody keeps."""
    problem = body(status=status, detail=detail, errors=errors)
    return caching.private(JsonResponse(problem, status=status, content_type=MEDIA_TYPE))


def is_wanted(request: HttpRequest) -> bool:
    """Say whether a program asks: the API is for programs, and fetch() of our pages says that it takes JSON."""
    if request.path.startswith("/api/"):
        return True
    # A browser's address bar names text/html; a bare */* (curl, a probe) gets the page.
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"
