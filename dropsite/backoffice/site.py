"""The admin site: merchandisers set up drops here, and ops watch them.

Every page is in the shop's time zone.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import path
from django.utils import timezone

from dropsite.backoffice.now import now_page

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


class BackOffice(admin.AdminSite):
    site_header = "Dropsite"
    site_title = "Dropsite"
    index_title = "Back office"
    site_url = "/"
    enable_nav_sidebar = False

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Run a page in the shop's time zone, its template included."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with timezone.override(settings.SHOP_TIME_ZONE):
                response = guarded(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    return response.render()
                return response

        return cast(View, page)

    def get_urls(self) -> Any:
        now = self.admin_view(partial(now_page, admin_site=self))
        return [path("now/", now, name="now"), *super().get_urls()]
