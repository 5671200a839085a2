"""Holds and what they own, to look at."""

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy

from drops.models import Hold, HoldLine, Unit
from shop.admin.base import ReadOnlyAdmin, ReadOnlyInline
from shop.core.datetimes import format_time


class HoldLineInline(ReadOnlyInline[HoldLine, Hold]):
    model = HoldLine
    fields = ("edition", "quantity", "price", "withheld")


class UnitInline(ReadOnlyInline[Unit, Hold]):
    model = Unit
    fields = ("edition", "number")


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin[Hold]):
    list_display = ("uuid", "drop", "state", "place", "created_at", "until", "ended_at")
    list_filter = ("state", "drop")
    list_select_related = ("drop",)
    search_fields = ("uuid", "ticket", "order__number", "order__email")
    ordering = ("-created_at",)
    inlines = (HoldLineInline, UnitInline)

    @admin.display(description=gettext_lazy("payable until"), ordering="expires_at")
    def until(self, hold: Hold) -> str:
        return format_time(hold.expires_at, now=timezone.now())
