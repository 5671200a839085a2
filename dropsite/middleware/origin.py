"""Refuse posts that come from other sites; where a page is cached and carries no token, this is the check."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from dropsite.views import cross_site_refused

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# Stripe's webhooks carry a signature instead. The API reads no cookie: a foreign post has nothing to ride on there.
ELSEWISE_SAFE = ("/webhooks/", "/api/")


class OriginMiddleware:
    """Sec-Fetch-Site same-origin, else an Origin that is ours, else refused."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method in SAFE or request.path.startswith(ELSEWISE_SAFE) or is_ours(request):
            return self.get_response(request)
        return cross_site_refused(request)


def is_ours(request: HttpRequest) -> bool:
    """Say whether a page of this shop sent the request.

    Browsers leave Sec-Fetch-Site out on plain http other than loopback's; they send Origin with every post.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return request.headers.get("Origin") in settings.CSRF_TRUSTED_ORIGINS
