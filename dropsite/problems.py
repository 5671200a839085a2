"""Refusals of the API as problem details. What pages and their scripts answer is built by shop.core.problems itself."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.views import exception_handler

from shop.core import caching, problems


def problem_details(exc: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Turn what a view of the API raised into a problem; None (a fault of ours) goes on to handler500."""
    response = exception_handler(exc, context)
    if response is None:
        return None
    detail, errors = words(exc)
    response.data = problems.body(status=response.status_code, detail=detail, errors=errors)
    response.content_type = problems.MEDIA_TYPE
    if response.status_code == 404:
        return caching.public(response, seconds=1)  # it is wrong for everybody: a crowd behind a bad link costs nothing
    return caching.private(response)


def words(exc: Exception) -> tuple[str, list[dict[str, str]]]:
    """Say in words what was wrong, and field by field where the request's fields were."""
    if isinstance(exc, Http404 | exceptions.NotFound):
        return _("We can't find that page. Check the address, or go to the next drop."), []
    if isinstance(exc, exceptions.NotAcceptable):
        return _("This is available as application/json only. Accept that, or */*."), []
    if isinstance(exc, exceptions.ValidationError):
        return _("Some fields aren't valid. Each is listed with its reason."), list(by_field(exc.detail))
    if isinstance(exc, exceptions.APIException):
        return str(exc.detail), []
    return (
        str(exc) if isinstance(exc, PermissionDenied) and str(exc) else _("You don't have access to this page.")
    ), []


def by_field(detail: Any, field: str = "") -> Iterator[dict[str, str]]:
    """Flatten DRF's nested details into {"field", "detail"}; a field within another is "outer.inner"."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from by_field(inner, f"{field}.{name}" if field else str(name))
    elif isinstance(detail, list):
        for inner in detail:
            yield from by_field(inner, field)
    else:
        yield {"field": field, "detail": str(detail)}
