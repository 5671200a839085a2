"""Exceptions to the site's Content-Security-Policy for single responses."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpResponse

# django-csp's decorator `csp_update` sets this attribute for a whole view; here it differs by response.
ATTRIBUTE = "_csp_update"


def allow(response: HttpResponse, sources: Mapping[str, Sequence[str]]) -> HttpResponse:
    """Allow more sources, by directive: {"style-src": ["'sha256-…'"]}."""
    allowed: dict[str, Any] = dict(getattr(response, ATTRIBUTE, None) or {})
    for directive, more in sources.items():
        allowed[directive] = [*allowed.get(directive, []), *more]
    setattr(response, ATTRIBUTE, allowed)
    return response
