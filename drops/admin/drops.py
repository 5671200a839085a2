"""The admin page of a drop: a draft's form, or what the announcement fixed; its actions; its scale plan.

Once a drop is announced, its form saves nothing but the title: no click, and no form left open since the
morning, can change its stock.
"""

from datetime import datetime
from functools import partial
from typing import Any, cast

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Sum
from django.db.models.query import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone

from drops import drop_actions, lifecycle
from drops.admin import actions
from drops.admin.forms import TIMES, DropForm, EditionForm, EditionFormSet
from drops.models import Drop, Edition
from drops.models.drop import DropQuerySet
from drops.scaling.control import scale_plans
from drops.scaling.models import ScalePlan, Step
from shop.admin.base import AuditedAdmin, TabularInline, person
from shop.admin.refusals import refusal_page
from shop.core import money
from shop.core.datetimes import format_time

# Fixed by the announcement, as the times are, which the page shows separately.
FIXED_FIELDS = ("product", "slug", "listed", "currency", "limit_per_order", "hold_seconds", "commitment_hex")


class EditionInline(TabularInline[Edition, Drop]):
    model = Edition
    form = EditionForm
    formset = EditionFormSet
    verbose_name_plural = "editions: what is sold, at which price, how many"
    fields = ("variant", "price", "shown_price", "quantity", "limit_per_order", "position")
    readonly_fields = ("shown_price",)

    def get_extra(self, request: HttpRequest, obj: Drop | None = None, **kwargs: Any) -> int:
        if obj is not None and obj.pk and obj.editions.exists():
            return 0
        return 1

    @admin.display(description="shoppers see")
    def shown_price(self, edition: Edition) -> str:
        """Return the price that was saved or entered, as shoppers will see it."""
        if edition.price is None:  # a new row
            return "–"
        return money.format_amount(amount=edition.price, currency=edition.drop.currency)


class DropAdmin(AuditedAdmin[Drop]):
    """Registered by dropsite.backoffice, whose subclass adds orders and money."""

    form = DropForm
    list_display = ("title", "slug", "phase", "opens", "pieces", "listed")
    list_filter = ("listed", "product")
    search_fields = ("title", "slug", "product__name")
    prepopulated_fields = {"slug": ("title",)}
    change_form_template = "admin/drops/drop/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Drop]:
        drops = cast("DropQuerySet", super().get_queryset(request))
        return drops.with_state().annotate(pieces=Sum("editions__quantity"))

    @admin.display
    def phase(self, drop: Drop) -> str:
        return lifecycle.phase(drop=drop, now=timezone.now()).value

    @admin.display(ordering="opens_at")
    def opens(self, drop: Drop) -> str:
        return format_time(drop.opens_at, now=timezone.now())

    @admin.display(ordering="pieces")
    def pieces(self, drop: Any) -> int:
        return int(drop.pieces or 0)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Drop | None:
        """Return the drop; for a posted form under a lock, so that its latest state decides what is fixed."""
        drop = super().get_object(request, object_id, from_field)
        if drop is None or request.method != "POST":
            return drop
        # The lock is kept until the end of the view's own transaction, in which this block is nested.
        with transaction.atomic():
            Drop.objects.select_for_update().filter(pk=drop.pk).first()
            return super().get_object(request, object_id, from_field)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "product" and field is not None:
            field.widget.can_delete_related = False  # a product isn't deleted on the page of a drop
        return field

    def get_fieldsets(self, request: HttpRequest, obj: Drop | None = None) -> Any:
        crowd: tuple[Any, ...] = ()
        if may_edit_expected(request, obj):
            crowd = (("Crowd", {"fields": ("expected",)}),)
        if obj is not None and obj.announced_at:
            return (
                (None, {"fields": ("title",)}),
                *crowd,
                ("Fixed by the announcement", {"fields": FIXED_FIELDS}),
            )
        return (
            (None, {"fields": ("title", "slug", "product", "listed")}),
            ("Times", {"fields": TIMES}),
            *crowd,
            ("Selling", {"fields": ("currency", "limit_per_order", "hold_seconds")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Drop | None = None) -> Any:
        fields: tuple[str, ...] = ()
        if obj is not None and obj.announced_at:
            fields = (*FIXED_FIELDS, *TIMES)
        if not may_edit_expected(request, obj):
            fields = (*fields, "expected")
        return fields

    def get_prepopulated_fields(self, request: HttpRequest, obj: Drop | None = None) -> Any:
        if obj is not None:
            return {}
        return self.prepopulated_fields

    def get_inlines(self, request: HttpRequest, obj: Drop | None) -> Any:
        if obj is not None and obj.announced_at:
            return ()
        return (EditionInline,)

    @admin.display(description="commitment")
    def commitment_hex(self, drop: Drop) -> str:
        return bytes(drop.commitment or b"").hex()

    def save_model(self, request: HttpRequest, obj: Drop, form: Any, change: bool) -> None:
        if obj.announced_at:
            obj.save(update_fields=form.changed_data or ["title"])
            if "opens_at" in request.POST:
                messages.warning(
                    request, "The drop has been announced in the meantime: only its title was saved."
                )
        else:
            super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Plan for the expected shoppers, once the drop and its editions are written."""
        super().save_related(request, form, formsets, change)
        if form.has_new_expected:
            self.expect(request, form.instance, form.cleaned_data["expected"])
        else:
            scale_plans.replan_drop(drop=form.instance)

    def expect(self, request: HttpRequest, drop: Drop, expected: int | None) -> None:
        """Set how many shoppers are expected, and show what is wrong with the plan. None removes the plan."""
        try:
            if expected is None:
                scale_plans.remove(drop=drop, actor=person(request))
                return
            scale_plan = scale_plans.set_expected(drop=drop, expected=expected, actor=person(request))
        except scale_plans.PlanRefused as refusal:
            messages.error(request, str(refusal))
            return
        for sentence in (scale_plan.plan or {}).get("problems", []):
            messages.warning(request, sentence)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """List what is deleted with a draft. Its scale plan and alerts need no permission of their own."""
        objects, counts, needed, protected = super().get_deleted_objects(objs, request)
        return objects, counts, needed - {ScalePlan._meta.verbose_name}, protected

    def has_delete_permission(self, request: HttpRequest, obj: Drop | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.announced_at is None)

    @transaction.atomic
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Delete a draft, or explain why an announced drop can't be deleted."""
        drop = self.get_object(request, object_id)
        if drop is not None and drop.announced_at and self.has_view_permission(request, drop):
            reason = (
                f"“{drop}” has been announced and may have orders, so it can't be deleted. Close it instead."
            )
            return refusal_page(request, admin_site=self.admin_site, about=drop, why=[reason])
        return super().delete_view(request, object_id, extra_context)

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if kwargs.get("change"):
            context |= self.panel(request, context["original"], timezone.now())
        return super().render_change_form(request, context, *args, **kwargs)

    def panel(self, request: HttpRequest, drop: Drop, now: datetime) -> dict[str, Any]:
        """Return the context above the form: the phase, what a draft lacks for its announcement, actions."""
        phase = lifecycle.phase(drop=drop, now=now)
        problems = []
        if phase == lifecycle.Phase.DRAFT:
            problems = drop_actions.find_problems(drop=drop, now=now)
        return {
            "phase": phase,
            "problems": problems,
            "actions": actions.available_actions(request=request, drop=drop, phase=phase),
            "scale_plan": scale_plan_summary(request, drop),
        }

    def get_urls(self) -> Any:
        return [
            path(
                f"<uuid:drop_id>/{name}/",
                self.admin_site.admin_view(
                    partial(actions.action_page, admin_site=self.admin_site, name=name)
                ),
                name=f"drops_drop_{name}",
            )
            for name in actions.ACTIONS
        ] + super().get_urls()


def may_edit_expected(request: HttpRequest, drop: Drop | None) -> bool:
    """Whether this person may set how many shoppers are expected."""
    may = request.user.has_perm("scaling.change_scaleplan") and request.user.has_perm("drops.change_drop")
    return bool(may) and (drop is None or drop.closed_at is None)


def scale_plan_summary(request: HttpRequest, drop: Drop) -> dict[str, Any] | None:
    """Return what the page shows of the drop's scale plan; None without one, or without the permission."""
    if not request.user.has_perm("scaling.view_scaleplan"):
        return None
    row = ScalePlan.objects.filter(drop=drop).first()
    if row is None:
        return None
    states = [step.get_state_display() for step in Step.objects.filter(drop=drop)]
    return {
        "row": row,
        "states": [(state, states.count(state)) for state in dict.fromkeys(states)],
        "waiting": Step.objects.filter(drop=drop, needs_approval=True).exclude(state__in=Step.OVER).count(),
        "problems": (row.plan or {}).get("problems", []),
    }
