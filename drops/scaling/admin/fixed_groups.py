"""Fixed groups in the admin: ops' statement that a group isn't scaled and serves drops as it stands."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from drops.scaling.control import scale_plans
from drops.scaling.models import FixedGroup
from shop.admin.base import AuditedAdmin


@admin.register(FixedGroup)
class FixedGroupAdmin(AuditedAdmin[FixedGroup]):
    list_display = ("group", "per_second", "reason")
    fields = ("group", "per_second", "reason")

    def about(self, obj: FixedGroup) -> str:
        return f"group:{obj.group}"

    def get_empty_value_display(self) -> Any:
        return "no limit"

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Plan again with the statement."""
        super().save_related(request, form, formsets, change)
        scale_plans.replan_all()

    def delete_model(self, request: HttpRequest, obj: FixedGroup) -> None:
        """Plan again without the statement."""
        super().delete_model(request, obj)
        scale_plans.replan_all()
