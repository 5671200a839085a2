"""Sign-ins: who signed in to the admin, who failed, and from where. They can be read only."""

from django.contrib import admin

from shop.admin.base import ReadOnlyAdmin
from shop.core.models import SignIn


@admin.register(SignIn)
class SignInAdmin(ReadOnlyAdmin[SignIn]):
    list_display = ("at", "account_name", "outcome", "address", "known_browser")
    list_filter = ("outcome",)
    search_fields = ("name", "address")
    date_hierarchy = "at"
    fields = ("at", "account_name", "outcome", "address", "known_browser")

    @admin.display(description="account", ordering="name")
    def account_name(self, sign_in: SignIn) -> str:
        return sign_in.name or "unknown name"

    @admin.display(description="known browser", boolean=True)
    def known_browser(self, sign_in: SignIn) -> bool:
        return bool(sign_in.browser)
