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
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from dropsite.backoffice import second_factor, sessions
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
    login_form = second_factor.SignInForm
    login_template = "admin/sign_in.html"

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Run a page in the shop's time zone, its template included."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            with timezone.override(settings.SHOP_TIME_ZONE):
                sessions.enforce(request)
                if second_factor.must_set_up(request) and request.path not in self.open_to_newcomers():
                    return HttpResponseRedirect(reverse(f"{self.name}:second_factor"))
                response = guarded(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    return response.render()
                return response

        return cast(View, page)

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the visitor is a colleague who has entered a code, if one is needed."""
        return super().has_permission(request) and second_factor.may_enter(request)

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show or check the form. Every try is recorded, and too many must wait."""
        name = request.POST.get("username", "").strip()
        view = partial(super().login, request, extra_context)
        if request.method != "POST" or not name:
            return view()
        return self.recorded(request, view, name=name, outcome=SignIn.Outcome.SIGNED_IN)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Change one's own password. The old one can be guessed no faster here than at the sign-in."""
        view = partial(super().password_change, request, extra_context)
        return self.recorded_own(request, view, outcome=SignIn.Outcome.CHANGED)

    def second_factor_page(self, request: HttpRequest) -> HttpResponse:
        """Set up one's own second factor. Codes can be guessed no faster here than at the sign-in."""
        view = partial(second_factor.page, request, admin_site=self)
        return self.recorded_own(request, view, outcome=SignIn.Outcome.CODE)

    def recorded_own(
        self, request: HttpRequest, view: Callable[[], HttpResponse], *, outcome: SignIn.Outcome
    ) -> HttpResponse:
        """Run a view in which colleagues prove who they are; as a recorded try if something is sent."""
        if request.method != "POST":
            return view()
        return self.recorded(request, view, name=request.user.get_username(), outcome=outcome)

    def recorded(
        self, request: HttpRequest, view: Callable[[], HttpResponse], *, name: str, outcome: SignIn.Outcome
    ) -> HttpResponse:
        """Run a view that looks at a password or a code, unless the visitor must wait."""
        who = sign_ins.visitor(name=name, address=addresses.client_address(request), cookies=request.COOKIES)
        try:
            row = sign_ins.begin(who)
        except sign_ins.TooManyTries as refusal:
            return self.slowed(request, seconds=refusal.seconds)
        response = view()
        failure = why_failed(response)
        if failure is not None:
            sign_ins.fail(row, outcome=failure)
            return response
        sign_ins.succeed(row, outcome=outcome)
        if outcome == SignIn.Outcome.SIGNED_IN:
            sessions.begin(request)
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
        factor = self.admin_view(self.second_factor_page)
        return [
            path("now/", now, name="now"),
            path("second-factor/", factor, name="second_factor"),
            *super().get_urls(),
        ]

    def open_to_newcomers(self) -> set[str]:
        """Return the pages of a colleague who must set up a second factor first."""
        return {reverse(f"{self.name}:{name}") for name in ("second_factor", "logout", "jsi18n")}


def why_failed(response: HttpResponse) -> SignIn.Outcome | None:
    """Return why a form was refused; None if it was right, and led on or to the new recovery codes."""
    context = getattr(response, "context_data", None) or {}
    if response.status_code == FOUND or context.get("codes"):
        return None
    if getattr(context.get("form"), "lacks_code", False):
        return SignIn.Outcome.NO_CODE
    return SignIn.Outcome.FAILED


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
