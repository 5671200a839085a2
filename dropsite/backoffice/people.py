"""The admin's own users and groups: audited, and safe to edit by two people, as everything else."""

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from shop.admin.base import AuditedAdmin

admin.site.unregister([User, Group])


@admin.register(User)
class PersonAdmin(AuditedAdmin[User], UserAdmin):  # type: ignore[type-arg]  # no class to subscribe at run time
    readonly_fields = ("last_login", "date_joined")  # written by the system

    def about(self, obj: User) -> str:
        return f"user:{obj.get_username()}"


@admin.register(Group)
class PermissionsAdmin(AuditedAdmin[Group], GroupAdmin):
    def about(self, obj: Group) -> str:
        return f"permissions:{obj.name}"
