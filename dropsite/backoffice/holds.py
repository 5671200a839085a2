"""Holds in the admin, found by their orders, too, for those who may see orders."""

from django.contrib import admin

from drops.admin.stock import HoldAdmin
from drops.models import Hold


@admin.register(Hold)
class HoldWithOrderAdmin(HoldAdmin):
    search_fields = (*HoldAdmin.search_fields, "order__number", "order__email")
