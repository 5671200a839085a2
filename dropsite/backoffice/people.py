"""The admin's own users and groups: audited, and safe to edit by two people, as everything else."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models.query import QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import pluralize
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from dropsite.backoffice import second_factor
from shop.admin.base import AuditedAdmin, person

admin.site.unregister([User, Group])
admin.site.unregister([TOTPDevice, StaticDevice])  # their pages show everybody's secrets


@admin.register(User)
class PersonAdmin(AuditedAdmin[User], UserAdmin):  # type: ignore[type-arg]  # no class to subscribe at run time
    readonly_fields = ("last_login", "date_joined")  # written by the system
    actions: Any = ("remove_second_factor",)

    def get_actions(self, request: HttpRequest) -> Any:
        """Return our action only: Django's own deletes rows without checking our rules."""
        return {name: one for name, one in super().get_actions(request).items() if name in self.actions}

    @admin.action(description="Remove the second factor, which was lost", permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """Let colleagues sign in with the password alone, and set up a second factor again."""
        count = sum(second_factor.remove(user=user, actor=person(request)) for user in users)
        self.message_user(request, f"{count} second factor{pluralize(count)} removed.")

    def about(self, obj: User) -> str:
        return f"user:{obj.get_username()}"


@admin.register(Group)
class PermissionsAdmin(AuditedAdmin[Group], GroupAdmin):
    def about(self, obj: Group) -> str:
        return f"permissions:{obj.name}"
