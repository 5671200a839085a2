"""The admin site: merchandisers set up drops here, and ops watch them.

Every page is in the shop's time zone.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial, wraps
from typing import Any, TypeVar, cast

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from dropsite.backoffice import sessions
from dropsite.backoffice.now import now_page
from shop.core import addresses, sign_ins
from shop.core.datetimes import format_duration
from shop.core.models import SignIn

FOUND = 302  # a form of Django's that was right

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
                sessions.enforce(request)
                response = guarded(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    return response.render()
                return response

        return cast(View, page)

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show or check the form. Every try is recorded, and too many must wait."""
        name = request.POST.get("username", "").strip()
        if request.method != "POST" or not name:
            return super().login(request, extra_context)
        who = visitor(request, name)
        try:
            row = sign_ins.begin(who)
        except sign_ins.TooManyTries as refusal:
            return self.slowed(request, seconds=refusal.seconds)
        response = super().login(request, extra_context)
        if response.status_code != FOUND:
            sign_ins.fail(row)
            return response
        sign_ins.succeed(row)
        sessions.begin(request)
        remember_browser(request, response, browser=who.browser)
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Change one's own password. The old one can be guessed no faster here than at the sign-in."""
        if request.method != "POST":
            return super().password_change(request, extra_context)
        who = visitor(request, request.user.get_username())
        try:
            row = sign_ins.begin(who)
        except sign_ins.TooManyTries as refusal:
            return self.slowed(request, seconds=refusal.seconds)
        response = super().password_change(request, extra_context)
        if response.status_code != FOUND:
            sign_ins.fail(row)
            return response
        sign_ins.succeed(row, outcome=SignIn.Outcome.CHANGED)
        remember_browser(request, response, browser=who.browser)
        return response

    def slowed(self, request: HttpRequest, *, seconds: int) -> HttpResponse:
        """Answer 429: the try was not looked at."""
        wait = format_duration(timedelta(seconds=seconds))
        context = {
            **self.each_context(request),
            "title": "Too many tries",
            "wait": wait,
            "back": request.get_full_path(),
        }
        headers = {"Retry-After": str(seconds), "Cache-Control": "no-store"}
        return TemplateResponse(request, "admin/slowed.html", context, status=429, headers=headers)

    def get_urls(self) -> Any:
        now = self.admin_view(partial(now_page, admin_site=self))
        return [path("now/", now, name="now"), *super().get_urls()]


def visitor(request: HttpRequest, name: str) -> sign_ins.Visitor:
    """Return who sends a password."""
    address = addresses.client_address(request)
    return sign_ins.visitor(name=name, address=address, cookies=request.COOKIES)


def remember_browser(request: HttpRequest, response: HttpResponse, *, browser: str) -> None:
    """Set the cookie by which the next try of this browser counts for itself."""
    user = request.user
    if isinstance(user, User):
        response.set_cookie(
            sign_ins.browser_cookie(user),
            sign_ins.sign_browser(user, browser),
            max_age=timedelta(days=sign_ins.BROWSER_DAYS),
            secure=settings.SECURE_COOKIES,
            httponly=True,
            samesite="Lax",
        )
