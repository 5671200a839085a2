"""The admin's refusal: a page that says why something was not done and what to do instead."""

from collections.abc import Sequence

from django.contrib.admin import AdminSite
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse


def refusal_page(
    request: HttpRequest, *, admin_site: AdminSite, about: object, why: Sequence[str], back: str = ""
) -> HttpResponse:
    """Answer 409 with the reasons and the way back, which for a row is its own page. Nothing was changed."""
    if isinstance(about, Model) and not back:
        options = about._meta
        back = reverse(f"{admin_site.name}:{options.app_label}_{options.model_name}_change", args=[about.pk])
    context = {
        **admin_site.each_context(request),
        "title": "Nothing was changed",
        "why": why,
        "object": about,
        "back": back,
    }
    return TemplateResponse(request, "admin/refused.html", context, status=409)
