"""A page for requests by a method that an address doesn't take: Django's own answer is empty."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from dropsite.views import wrong_method


class WrongMethodMiddleware:
    """Replace an empty 405 by a page or problem details, with the same Allow header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.status_code == 405 and not response.content:
            return wrong_method(request, allowed=response.get("Allow", ""))
        return response
