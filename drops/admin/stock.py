"""Holds, with the lines and units they own, to look at."""

from typing import ClassVar

from django.contrib import admin
from django.utils import timezone

from drops.models import Hold, HoldLine, Unit
from shop.admin.base import ReadOnlyAdmin, ReadOnlyInline
from shop.core.datetimes import format_time


class HoldLineInline(ReadOnlyInline[HoldLine, Hold]):
    model = HoldLine
    fields = ("edition", "quantity", "price", "withheld")


class UnitInline(ReadOnlyInline[Unit, Hold]):
    model = Unit
    fields = ("edition", "number")


class HoldAdmin(ReadOnlyAdmin[Hold]):
    """Registered by dropsite.backoffice, whose subclass also searches for orders."""

    list_display = ("uuid", "drop", "state", "place", "created_at", "payable_until", "ended_at")
    list_filter = ("state", "drop")
    list_select_related = ("drop",)
    search_fields: ClassVar[tuple[str, ...]] = ("uuid", "ticket")
    ordering = ("-created_at",)
    inlines = (HoldLineInline, UnitInline)

    @admin.display(ordering="expires_at")
    def payable_until(self, hold: Hold) -> str:
        return format_time(hold.expires_at, now=timezone.now())
