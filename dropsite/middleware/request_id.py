"""A name for each request, the edge's own if it gave one, carried into the answer."""

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestIdMiddleware:
    """Put X-Request-ID on request and answer, so that a shopper's words and our logs can be joined."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")  # request.headers would keep what it is asked for now
        name = given if WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
        request.META["HTTP_X_REQUEST_ID"] = name
        response = self.get_response(request)
        response["X-Request-ID"] = name
        return response
