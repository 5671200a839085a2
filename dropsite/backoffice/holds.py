"""Holds in the admin, found by their orders, too."""

from django.contrib import admin
from django.http import HttpRequest

from drops.admin.stock import HoldAdmin
from drops.models import Hold


@admin.register(Hold)
class HoldWithOrderAdmin(HoldAdmin):
    def get_search_fields(self, request: HttpRequest) -> list[str]:
        return [*super().get_search_fields(request), "order__number", "order__email"]
