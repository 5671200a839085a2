"""Refuse requests that other sites send. Cached pages have no CSRF token; this check takes its place."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from dropsite.views import cross_site_refused

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# Stripe's webhooks carry a signature. The API is stateless and reads no cookie, so CSRF doesn't apply.
CSRF_EXEMPT_PREFIXES = ("/webhooks/", "/api/")


class OriginMiddleware:
    """Accept requests with Sec-Fetch-Site: same-origin, or without that header, with an Origin of ours."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if (
            request.method in SAFE_METHODS
            or request.path.startswith(CSRF_EXEMPT_PREFIXES)
            or is_same_origin(request)
        ):
            return self.get_response(request)
        return cross_site_refused(request)


def is_same_origin(request: HttpRequest) -> bool:
    """Whether a page of this shop sent the request.

    Over plain http browsers send Sec-Fetch-Site only to loopback; they send Origin with every POST.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("Origin") in settings.CSRF_TRUSTED_ORIGINS
