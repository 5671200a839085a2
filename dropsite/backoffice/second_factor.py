"""The optional second factor of the admin: codes of an app (TOTP), and recovery codes that work once.

Colleagues set it up for themselves. Wrong codes count as wrong passwords do, in shop.core.sign_ins.
"""

from typing import Any

import segno
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.models import AbstractBaseUser, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django_otp import login as verify_session
from django_otp import match_token
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from shop.core import audit_log

RECOVERY_CODES = 10
MAX_CODE_LENGTH = 16
NAME = "app"  # of the one device of each kind that a colleague has
CODE_MISSING = "Enter the code that your app shows, or one of your recovery codes."
CODE_WRONG = "This code is wrong or was used before. Wait for the app's next one, or enter a recovery code."


class CodeField(forms.CharField):
    """A code as people type it: "123 456" is one, and so is "ABCD-EFGH"."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "text"})
        super().__init__(max_length=2 * MAX_CODE_LENGTH, widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "")
        return "".join(text.split()).replace("-", "").lower()


class SignInForm(AdminAuthenticationForm):
    """Name, password, and the code of those who have set up a second factor."""

    code = CodeField(required=False, label="Code from your app, if you have set one up")
    lacks_code = False  # whether everything but the code was right

    def confirm_login_allowed(self, user: User) -> None:
        """Ask for a code of the account's own devices. Raises ValidationError."""
        super().confirm_login_allowed(user)
        if not is_set_up(user):
            return
        code = self.cleaned_data.get("code", "")
        device = match_token(user, code) if code else None
        if device is None:
            self.lacks_code = True
            raise ValidationError(CODE_WRONG if code else CODE_MISSING, code="code")
        user.otp_device = device  # type: ignore[attr-defined]  # django-otp puts it into the session


def is_set_up(user: User) -> bool:
    """Whether a colleague must enter a code to sign in."""
    return bool(TOTPDevice.objects.filter(user=user, confirmed=True).exists())


def may_enter(request: HttpRequest) -> bool:
    """Whether the session has the second factor, if its user has set one up."""
    user = request.user
    if not isinstance(user, User) or not is_set_up(user):
        return True
    return bool(user.is_verified())  # type: ignore[attr-defined]  # set by django-otp's middleware


def must_set_up(request: HttpRequest) -> bool:
    """Whether this colleague may do nothing else before a second factor is set up."""
    user = request.user
    return settings.ADMIN_SECOND_FACTOR_REQUIRED and isinstance(user, User) and not is_set_up(user)


class SetUpForm(forms.Form):
    """The first code of a new app, or a code that proves who asks for a change."""

    code = CodeField(label="Code that the app shows now")


def page(request: HttpRequest, *, admin_site: AdminSite) -> HttpResponse:
    """Set up the second factor; or, once it is there, make new recovery codes or remove it."""
    user = request.user
    if not isinstance(user, User):
        raise PermissionDenied
    form = SetUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return act(request, user=user, form=form, admin_site=admin_site)
    return show(request, user=user, form=form, admin_site=admin_site)


def act(request: HttpRequest, *, user: User, form: SetUpForm, admin_site: AdminSite) -> HttpResponse:
    """Do what the form asks for, if its code is right."""
    was_set_up = is_set_up(user)
    device = check(user, form.cleaned_data["code"])
    if device is None:
        form.add_error("code", CODE_WRONG)
        return show(request, user=user, form=form, admin_site=admin_site)
    if was_set_up and "remove" in request.POST:
        remove(user=user, actor=user)
        messages.success(request, "The second factor was removed.")
        return HttpResponseRedirect(reverse(f"{admin_site.name}:index"))
    codes = renew_recovery_codes(
        user=user, action="recovery codes renewed" if was_set_up else "second factor set up"
    )
    verify_session(request, TOTPDevice.objects.get(user=user, name=NAME))
    return show(request, user=user, form=SetUpForm(), admin_site=admin_site, codes=codes)


def check(user: User, code: str) -> Any:
    """Return the device that the code belongs to, confirming the app if it is new; None if it is wrong."""
    if is_set_up(user):
        return match_token(user, code)
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().filter(user=user, name=NAME).first()
        if device is None or not device.verify_token(code):
            return None
        device.confirmed = True
        device.save(update_fields=["confirmed"])
    return device


def show(
    request: HttpRequest,
    *,
    user: User,
    form: SetUpForm,
    admin_site: AdminSite,
    codes: list[str] | None = None,
) -> HttpResponse:
    """Return the page: the app's QR code, or what there is; new recovery codes are shown this once."""
    context = {**admin_site.each_context(request), "title": "Second factor", "form": form, "codes": codes}
    if is_set_up(user):
        context["left"] = StaticToken.objects.filter(device__user=user).count()
    else:
        device, _created = TOTPDevice.objects.get_or_create(
            user=user, name=NAME, defaults={"confirmed": False}
        )
        context["secret"] = secret_text(device)
        context["picture"] = segno.make(device.config_url).svg_data_uri(scale=5, light="#fff", dark="#000")
        context["is_required"] = settings.ADMIN_SECOND_FACTOR_REQUIRED
    return TemplateResponse(
        request, "admin/second_factor.html", context, headers={"Cache-Control": "no-store"}
    )


def secret_text(device: TOTPDevice) -> str:
    """Return the app's secret for those who type it: groups of four."""
    secret = device.config_url.partition("secret=")[2].partition("&")[0]
    return " ".join(secret[start : start + 4] for start in range(0, len(secret), 4))


def renew_recovery_codes(*, user: User, action: str) -> list[str]:
    """Replace the recovery codes and return the new ones."""
    codes = [StaticToken.random_token() for _ in range(RECOVERY_CODES)]
    with transaction.atomic():
        device, _created = StaticDevice.objects.get_or_create(user=user, name=NAME)
        device.token_set.all().delete()
        StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
        audit_log.write(actor=user, about=f"user:{user.get_username()}", action=action)
    return codes


def remove(*, user: User, actor: AbstractBaseUser | None) -> bool:
    """Remove a colleague's second factor; return whether there was one."""
    with transaction.atomic():
        deleted, _ = TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        if deleted:
            about = f"user:{user.get_username()}"
            audit_log.write(actor=actor, about=about, action="second factor removed")
    return bool(deleted)
