"""Answer a reading request again if its database connection was broken: nothing was changed by it."""

import logging
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from shop.core import database

log = logging.getLogger(__name__)

READING_METHODS = frozenset({"GET", "HEAD"})


class RetryReadingMiddleware:
    """Run the view of a reading request once more, on a new connection. Any other request gets its 503."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Return the second answer, or None if there is no second try."""
        if not database.is_broken(exception):
            return None
        database.discard_connections()
        match = request.resolver_match
        if request.method not in READING_METHODS or match is None:
            return None
        log.warning("A database connection was broken; trying again: %s", exception)
        response: Any = match.func(request, *match.args, **match.kwargs)
        if hasattr(response, "render"):
            response.render()
        return response  # type: ignore[no-any-return]
