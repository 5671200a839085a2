"""Targets at the desk: chosen by kind, told where it is, tried, and how each stands now.

What a target is can't be changed while it is scaled: the way back to its baseline would be lost.
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
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from drops.scaling.admin import actions, records, words
from drops.scaling.admin.forms import PREFIX, ShareForm, ShareFormSet, TargetForm, form_for, where_names
from drops.scaling.control import alerts
from drops.scaling.models import Call, Share, Step, Target
from drops.scaling.planning import lead_times, read_inputs
from drops.scaling.providers import PROVIDERS
from shop.admin.base import AuditedAdmin, TabularInline
from shop.admin.refusals import refusal_page
from shop.core.datetimes import format_duration

CALLS = 20  # shown on the page of a target; the list has them all
SIZES = ("floor", "ceiling", "ops_ceiling", "headroom_percent", "zones", "lead_seconds", "price_per_hour")


class ShareInline(TabularInline[Share, Target]):
    model = Share
    form = ShareForm
    formset = ShareFormSet
    verbose_name_plural = gettext_lazy("what it carries, and how much of it one instance can do")

    def get_extra(self, request: HttpRequest, obj: Target | None = None, **kwargs: Any) -> int:
        return 0 if obj is not None and obj.pk and obj.shares.exists() else 1


@admin.register(Target)
class TargetAdmin(AuditedAdmin[Target]):
    list_display = ("name", "kind_name", "stands", "ready_size", "baseline_size", "bounds", "last_read", "enabled")
    list_filter = ("enabled", "kind")
    search_fields = ("name", "resource")
    inlines = (ShareInline,)
    change_form_template = "admin/scaling/target/change_form.html"

    def about(self, obj: Target) -> str:
        return f"target:{obj.name}"

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def kind_name(self, target: Target) -> str:
        return words.kind(target.kind)

    @admin.display(description=gettext_lazy("stands"))
    def stands(self, target: Target) -> str:
        return words.standing(target=target)[1]

    @admin.display(description=gettext_lazy("floor – ops' ceiling – ceiling"))
    def bounds(self, target: Target) -> str:
        ops = "–" if target.ops_ceiling is None else target.ops_ceiling
        return f"{target.floor} – {ops} – {target.ceiling}"

    @admin.display(description=gettext_lazy("last read"), ordering="seen_at")
    def last_read(self, target: Target) -> str:
        if target.seen_at is None:
            return _("never")
        return _("%(span)s ago") % {"span": format_duration(abs(timezone.now() - target.seen_at))}

    @admin.display(description=gettext_lazy("where"))
    def where_words(self, target: Target) -> str:
        labels = (
            {field.name: capfirst(_(field.label)) for field in PROVIDERS[target.kind].fields}
            if target.kind in PROVIDERS
            else {}
        )
        return format_html_join("\n", "<div>{}: {}</div>", ((labels.get(k, k), v) for k, v in target.where.items()))

    # --- the form ---

    def kind_of(self, request: HttpRequest, obj: Target | None) -> str:
        """Give the kind of the form: the target's own, else the one chosen in the address; "" if it is none."""
        kind = obj.kind if obj is not None else request.GET.get("kind", "")
        return kind if kind in PROVIDERS else ""

    def where_is_open(self, request: HttpRequest, obj: Target | None) -> bool:
        """Whether it may be said what the target is: not while it is scaled, nor by those who only look."""
        if obj is None:
            return True
        return obj.baseline is None and obj.kind in PROVIDERS and self.has_change_permission(request, obj)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Target | None:
        """Give the target; for a posted form under its lock, so that the row of now decides what is fixed."""
        target = super().get_object(request, object_id, from_field)
        if target is None or request.method != "POST":
            return target
        with transaction.atomic():  # a part of the view's own transaction, to whose end the lock is kept
            Target.objects.select_for_update().filter(pk=target.pk).first()
            return super().get_object(request, object_id, from_field)

    def get_form(self, request: HttpRequest, obj: Target | None = None, change: bool = False, **kwargs: Any) -> Any:
        kind = self.kind_of(request, obj)
        # Without the kind's fields, nothing that is posted can say what the target is.
        kwargs["form"] = form_for(kind=kind) if kind and self.where_is_open(request, obj) else TargetForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Target | None = None) -> Any:
        kind = self.kind_of(request, obj)
        fields = where_names(kind=kind) if kind and self.where_is_open(request, obj) else ("where_words",)
        return (
            (None, {"fields": ("name", "kind_name", "enabled") if obj else ("name", "enabled")}),
            (words.kind(kind) or None, {"fields": fields, "description": words.credentials(kind)}),
            (_("How many"), {"fields": SIZES}),
            (_("Database connections"), {"fields": ("connections", "connection_limit")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Target | None = None) -> Any:
        return ("kind_name", "where_words")

    def save_model(self, request: HttpRequest, obj: Target, form: Any, change: bool) -> None:
        """Save what was changed and nothing else: the rest of the row is the tick's."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        changed = {"where" if name.startswith(PREFIX) else name for name in form.changed_data}
        if changed & {"where", "enabled"}:
            obj.busy_until = None  # a tick that has its turn now knows the old row: it shall write nothing
            changed.add("busy_until")
        if "where" in changed:
            changed |= {"resource", *forget(obj)}
        obj.save(update_fields=changed)
        if not self.where_is_open(request, obj) and any(name.startswith(PREFIX) for name in request.POST):
            messages.warning(request, _("It is scaled by now: what it is was not changed, all else was saved."))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A target that no drop used takes its calls along; that needs no permission of its own."""
        objects, counts, needed, protected = super().get_deleted_objects(objs, request)
        return objects, counts, needed - {Call._meta.verbose_name}, protected

    def delete_model(self, request: HttpRequest, obj: Target) -> None:
        alerts.resolve_of_target(target=obj)
        super().delete_model(request, obj)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Delete a target that no drop has used; say of others why they stay."""
        target = self.get_object(request, object_id)
        if (
            target is not None
            and (target.steps.exists() or target.claims.exists())
            and self.has_view_permission(request, target)
        ):
            why = _("“%(target)s” has steps of drops, which are kept. Switch it off instead: untick “enabled”.")
            return refusal_page(request, admin_site=self.admin_site, about=target, why=[why % {"target": target}])
        return super().delete_view(request, object_id, extra_context)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask for the kind first: its form follows from it."""
        if self.kind_of(request, None) or not self.has_add_permission(request):
            return super().add_view(request, form_url, extra_context)
        context = {
            **self.admin_site.each_context(request),
            "title": _("What is to be scaled?"),
            "opts": self.model._meta,
            "kinds": sorted(PROVIDERS.items(), key=lambda item: (item[1].tier, item[1].name)),
        }
        return TemplateResponse(request, "admin/scaling/target/kinds.html", context)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if kwargs.get("change"):
            context |= self.panel(request, context["original"])
        return super().render_change_form(request, context, *args, **kwargs)

    def panel(self, request: HttpRequest, target: Target) -> dict[str, Any]:
        """Give what the page says above its form: how it stands, its buttons, its last calls."""
        return {
            "standing": words.standing(target=target),
            "numbers": numbers(target=target),
            "lead": lead(target=target),
            "claims": target.steps.exclude(state__in=Step.OVER).select_related("drop"),
            "calls": records.shown(target.calls.select_related("target", "step__drop")[:CALLS]),
            "acts": actions.of_target(request=request, target=target),
            "may_act": request.user.has_perm(actions.MAY),
        }

    def get_urls(self) -> Any:
        return [
            path(
                f"<int:target_id>/{name}/",
                self.admin_site.admin_view(partial(actions.ask_target, admin_site=self.admin_site, name=name)),
                name=f"scaling_target_{name}",
            )
            for name in actions.OF_TARGET
        ] + [
            path(
                "<int:target_id>/test/",
                self.admin_site.admin_view(require_POST(partial(actions.test, admin_site=self.admin_site))),
                name="scaling_target_test",
            ),
            *super().get_urls(),
        ]


def numbers(*, target: Target) -> list[tuple[str, str]]:
    """Give the figures of a target."""
    seen = target.seen or {}
    return [
        (_("stands at"), words.size(target=target, count=seen.get("size"))),
        (_("serving"), words.size(target=target, count=seen.get("serving"))),
        (_("last verified"), words.size(target=target, count=target.ready_size)),
        (_("asked for"), words.size(target=target, count=target.asked_size)),
        (_("baseline"), words.size(target=target, count=target.baseline_size)),
    ]


def lead(*, target: Target) -> tuple[int, str]:
    """Give the lead time that plans take, in seconds, and why."""
    moves = read_inputs.last_moves(Target.objects.filter(pk=target.pk)).get(target.pk, [])
    return lead_times.lead(seconds=moves, least=target.lead_seconds)


def forget(target: Target) -> set[str]:
    """Forget what was read: it was another resource. Gives the fields that changed."""
    blank = {"seen": None, "seen_at": None, "ready_size": None, "failures": 0, "retry_at": None, "fault": ""}
    for name, value in blank.items():
        setattr(target, name, value)
    return set(blank)
