"""The admin page of a drop, with the orders and the money that only this app may read."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from drops.admin.drops import DropAdmin
from drops.models import Drop
from dropsite.backoffice import overview, refunds


@admin.register(Drop)
class DropWithOverviewAdmin(DropAdmin):
    change_form_template = "admin/drop.html"

    def panel(self, request: HttpRequest, drop: Drop, now: datetime) -> dict[str, Any]:
        panel = super().panel(request, drop, now)
        if drop.announced_at:
            panel["overview"] = overview.read(drop=drop, now=now)
        return panel

    def get_urls(self) -> Any:
        return refunds.urls(admin_site=self.admin_site) + super().get_urls()
