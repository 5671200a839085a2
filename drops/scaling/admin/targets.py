"""Targets in the admin: choose a provider, enter the locator, test the connection, see the status.

A target's locator can't be changed while it is scaled: the way back to its baseline would be lost.
"""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.text import capfirst
from django.views.decorators.http import require_POST

from drops.scaling.admin import actions, display, records
from drops.scaling.admin.forms import (
    LOCATOR_PREFIX,
    ShareForm,
    ShareFormSet,
    TargetForm,
    form_for,
    locator_fields,
)
from drops.scaling.control import alerts, scale_plans
from drops.scaling.models import Call, Share, Step, Target
from drops.scaling.planning import lead_times, read_inputs
from drops.scaling.providers import PROVIDERS
from shop.admin.base import AuditedAdmin, TabularInline
from shop.admin.refusals import refusal_page
from shop.core.datetimes import format_duration

MAX_CALLS = 20  # on the page of a target; the list of calls has them all
SIZE_FIELDS = (
    "floor",
    "ceiling",
    "ops_ceiling",
    "headroom_percent",
    "zones",
    "lead_seconds",
    "price_per_hour",
)
NO_READING = {
    "observed": None,
    "observed_at": None,
    "ready_size": None,
    "failures": 0,
    "retry_at": None,
    "error": "",
}


class ShareInline(TabularInline[Share, Target]):
    model = Share
    form = ShareForm
    formset = ShareFormSet
    verbose_name_plural = "groups it carries, and the throughput of one instance"

    def get_extra(self, request: HttpRequest, obj: Target | None = None, **kwargs: Any) -> int:
        if obj is not None and obj.pk and obj.shares.exists():
            return 0
        return 1


@admin.register(Target)
class TargetAdmin(AuditedAdmin[Target]):
    list_display = (
        "name",
        "provider_name",
        "status",
        "ready_size",
        "baseline_size",
        "bounds",
        "last_read",
        "enabled",
    )
    list_filter = ("enabled", "provider")
    search_fields = ("name", "resource")
    inlines = (ShareInline,)
    change_form_template = "admin/scaling/target/change_form.html"

    def about(self, obj: Target) -> str:
        return f"target:{obj.name}"

    @admin.display(description="provider", ordering="provider")
    def provider_name(self, target: Target) -> str:
        return display.provider_name(target.provider)

    @admin.display(description="status")
    def status(self, target: Target) -> str:
        _colour, label = display.target_status(target=target)
        return label

    @admin.display(description="floor – ops' ceiling – ceiling")
    def bounds(self, target: Target) -> str:
        ops_ceiling = "–" if target.ops_ceiling is None else target.ops_ceiling
        return f"{target.floor} – {ops_ceiling} – {target.ceiling}"

    @admin.display(description="last read", ordering="observed_at")
    def last_read(self, target: Target) -> str:
        if target.observed_at is None:
            return "never"
        return f"{format_duration(abs(timezone.now() - target.observed_at))} ago"

    @admin.display(description="locator")
    def locator_text(self, target: Target) -> str:
        labels: dict[str, str] = {}
        if target.provider in PROVIDERS:
            labels = {field.name: capfirst(field.label) for field in PROVIDERS[target.provider].fields}
        rows = ((labels.get(name, name), value) for name, value in target.locator.items())
        return format_html_join("\n", "<div>{}: {}</div>", rows)

    # --- the form ---

    def form_provider(self, request: HttpRequest, obj: Target | None) -> str:
        """Return the target's provider, or the one chosen in the address; empty if it is unknown."""
        key = request.GET.get("provider", "")
        if obj is not None:
            key = obj.provider
        if key not in PROVIDERS:
            return ""
        return key

    def can_change_locator(self, request: HttpRequest, obj: Target | None) -> bool:
        """Whether the locator can be changed: not while the target is scaled, nor by staff who only look."""
        if obj is None:
            return True
        return obj.baseline is None and obj.provider in PROVIDERS and self.has_change_permission(request, obj)

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Target | None:
        """Return the target; for a posted form under a lock, so that its latest row decides what is fixed."""
        target = super().get_object(request, object_id, from_field)
        if target is None or request.method != "POST":
            return target
        with transaction.atomic():  # inside the view's own transaction, which keeps the lock until it ends
            Target.objects.select_for_update(no_key=True).filter(pk=target.pk).first()
            return super().get_object(request, object_id, from_field)

    def get_form(
        self, request: HttpRequest, obj: Target | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        provider = self.form_provider(request, obj)
        # Without the provider's fields, nothing in a posted form can change the locator.
        kwargs["form"] = TargetForm
        if provider and self.can_change_locator(request, obj):
            kwargs["form"] = form_for(provider=provider)
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Target | None = None) -> Any:
        provider = self.form_provider(request, obj)
        fields: tuple[str, ...] = ("locator_text",)
        if provider and self.can_change_locator(request, obj):
            fields = locator_fields(provider=provider)
        return (
            (None, {"fields": ("name", "provider_name", "enabled") if obj else ("name", "enabled")}),
            (
                display.provider_name(provider) or None,
                {"fields": fields, "description": display.credentials(provider)},
            ),
            ("Sizes", {"fields": SIZE_FIELDS}),
            ("Database connections", {"fields": ("connections", "connection_limit")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Target | None = None) -> Any:
        return ("provider_name", "locator_text")

    def save_model(self, request: HttpRequest, obj: Target, form: Any, change: bool) -> None:
        """Save the changed fields and no others: the rest of the row belongs to the tick."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        changed = {"locator" if name.startswith(LOCATOR_PREFIX) else name for name in form.changed_data}
        if changed & {"locator", "enabled"}:
            obj.locked_until = None  # a tick that works on the old row loses its lock and writes nothing
            changed.add("locked_until")
        if "locator" in changed:
            # It is a different resource now: what was read of the old one means nothing.
            for name, value in NO_READING.items():
                setattr(obj, name, value)
            changed |= {"resource", *NO_READING}
        obj.save(update_fields=changed)
        is_locator_posted = any(name.startswith(LOCATOR_PREFIX) for name in request.POST)
        if is_locator_posted and not self.can_change_locator(request, obj):
            messages.warning(
                request,
                "The target is being scaled now, so its locator was not changed. Everything else was saved.",
            )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Let an unused target take its calls along, without further permissions."""
        objects, counts, needed, protected = super().get_deleted_objects(objs, request)
        return objects, counts, needed - {Call._meta.verbose_name}, protected

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Plan again with the target as it is now."""
        super().save_related(request, form, formsets, change)
        scale_plans.replan_all()

    def delete_model(self, request: HttpRequest, obj: Target) -> None:
        """Delete the target, its alerts with it, and plan again without it."""
        alerts.resolve_for_target(target=obj)
        super().delete_model(request, obj)
        scale_plans.replan_all()

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Delete a target that no drop has used; refuse others, with the reason."""
        target = self.get_object(request, object_id)
        if target is not None and self.has_view_permission(request, target) and is_used(target):
            why = [
                f"Drops have used “{target}”, and their records are kept.",
                "Disable it instead: untick “Enabled”.",
            ]
            return refusal_page(request, admin_site=self.admin_site, about=target, why=why)
        return super().delete_view(request, object_id, extra_context)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask for the provider first, because the form depends on it."""
        if self.form_provider(request, None) or not self.has_add_permission(request):
            return super().add_view(request, form_url, extra_context)
        context = {
            **self.admin_site.each_context(request),
            "title": "What do you want to scale?",
            "opts": self.model._meta,
            "providers": sorted(PROVIDERS.items(), key=lambda item: (item[1].tier, item[1].name)),
        }
        return TemplateResponse(request, "admin/scaling/target/providers.html", context)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if kwargs.get("change"):
            context |= self.page_context(request, context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def page_context(self, request: HttpRequest, target: Target) -> dict[str, Any]:
        """Return what the page shows above its form: status, sizes, buttons, leases, last calls."""
        lead_seconds, lead_reason = lead_time(target=target)
        colour, label = display.target_status(target=target)
        return {
            "status_colour": colour,
            "status_label": label,
            "sizes": sizes(target=target),
            "lead_seconds": lead_seconds,
            "lead_reason": lead_reason,
            "steps": target.steps.exclude(state__in=Step.OVER).select_related("drop"),
            "calls": records.call_rows(target.calls.select_related("target", "step__drop")[:MAX_CALLS]),
            "available_actions": actions.available(request=request, target=target),
            "may_act": request.user.has_perm(actions.PERMISSION),
        }

    def get_urls(self) -> Any:
        def view(function: Any, **arguments: Any) -> Any:
            return self.admin_site.admin_view(partial(function, admin_site=self.admin_site, **arguments))

        own = [
            path(
                "<int:target_id>/test/",
                view(require_POST(actions.test_connection)),
                name="scaling_target_test",
            ),
        ]
        for name in actions.TARGET_ACTIONS:
            address, url_name = f"<int:target_id>/{name}/", f"scaling_target_{name}"
            own.append(path(address, view(actions.target_action, name=name), name=url_name))
        return own + super().get_urls()


def is_used(target: Target) -> bool:
    """Whether any drop has steps or usage of a target."""
    return target.steps.exists() or target.usages.exists()


def sizes(*, target: Target) -> list[tuple[str, str]]:
    """Return the sizes of a target with their labels."""
    observed = target.observed or {}
    counts = (
        ("observed", observed.get("size")),
        ("serving", observed.get("serving")),
        ("last verified", target.ready_size),
        ("desired", target.desired_size),
        ("baseline", target.baseline_size),
    )
    return [(label, display.size(target=target, count=count)) for label, count in counts]


def lead_time(*, target: Target) -> tuple[int, str]:
    """Return the lead time that plans use, in seconds, and why."""
    moves = read_inputs.last_moves(Target.objects.filter(pk=target.pk)).get(target.pk, [])
    return lead_times.learned_lead_time(seconds=moves, minimum=target.lead_seconds)
