"""The audit log: who did what, when, from what value to what value. It can be read only."""

from typing import Any

from django.contrib import admin

from shop.admin.base import ReadOnlyAdmin
from shop.core.models import AuditEntry


@admin.register(AuditEntry)
class AuditLogAdmin(ReadOnlyAdmin[AuditEntry]):
    list_display = ("at", "actor", "about", "action", "from_", "to")
    list_filter = ("action",)
    search_fields = ("about", "actor__username")
    list_select_related = ("actor",)
    shown_relations = ("actor",)
    date_hierarchy = "at"
    fields = ("at", "actor", "about", "action", "from_", "to")

    @admin.display(description="from")
    def from_(self, entry: AuditEntry) -> str:
        return format_values(entry.before)

    @admin.display(description="to")
    def to(self, entry: AuditEntry) -> str:
        return format_values(entry.after)


def format_values(values: dict[str, Any]) -> str:
    """Return the values of an entry as text: "title: A; listed: True"."""
    return "; ".join(f"{name}: {value}" for name, value in values.items())
