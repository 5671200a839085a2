"""Errors of the API as problem details (RFC 9457). Views of pages call shop.core.problems themselves."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.views import exception_handler

from shop.core import caching, problems


def problem_details(exc: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Turn an exception of an API view into problem details; None, for a bug of ours, leads to handler500."""
    response = exception_handler(exc, context)
    if response is None:
        return None
    detail, errors = describe(exc)
    response.data = problems.body(status=response.status_code, detail=detail, errors=errors)
    response.content_type = problems.MEDIA_TYPE
    if response.status_code == 404:
        # The same for everybody, so a crowd that follows a bad link costs nothing.
        return caching.public(response, seconds=1)
    return caching.private(response)


def describe(exc: Exception) -> tuple[str, list[dict[str, str]]]:
    """Return what was wrong as a sentence, and for invalid fields one entry each."""
    if isinstance(exc, Http404 | exceptions.NotFound):
        return _("We can't find that page. Check the address, or go to the next drop."), []
    if isinstance(exc, exceptions.NotAcceptable):
        return _("This is available as application/json only. Accept that, or */*."), []
    if isinstance(exc, exceptions.ValidationError):
        return _("Some fields aren't valid. Each is listed with its reason."), list(
            flatten_errors(exc.detail)
        )
    if isinstance(exc, exceptions.APIException):
        return str(exc.detail), []
    if isinstance(exc, PermissionDenied) and str(exc):
        return str(exc), []
    return _("You don't have access to this page."), []


def flatten_errors(detail: Any, field: str = "") -> Iterator[dict[str, str]]:
    """Flatten DRF's nested details into {"field", "detail"}; a nested field is "outer.inner"."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            full_name = str(name)
            if field:
                full_name = f"{field}.{name}"
            yield from flatten_errors(inner, full_name)
    elif isinstance(detail, list):
        for inner in detail:
            yield from flatten_errors(inner, field)
    else:
        yield {"field": field, "detail": str(detail)}
