"""Alerts, open and resolved. They can be read only: each is resolved by what raised it."""

from django.contrib import admin

from shop.admin.base import ReadOnlyAdmin
from shop.core.models import Alert


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin[Alert]):
    list_display = ("created_at", "source", "subject", "message", "resolved_at", "sent_at", "last_error")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "source")
    search_fields = ("subject", "message", "details")
    ordering = ("-created_at",)
    fields = (
        "created_at", "source", "subject", "message", "details", "resolved_at", "sent_at", "tries", "due_at",
        "last_error",
    )  # fmt: skip
