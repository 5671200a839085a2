"""A drop on one page: the form of a draft, or what an announced drop fixed; its buttons; how it stands.

An announced drop's form holds its title only: no click, and no form left open since the morning, can move its stock.
"""

from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Sum
from django.db.models.query import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from drops import drop_actions, lifecycle
from drops.admin import actions
from drops.admin.forms import TIMES, DropForm, EditionForm, EditionFormSet
from drops.models import Drop, Edition
from drops.scaling.control import scale_plans
from drops.scaling.models import ScalePlan, Step
from shop.admin.base import AuditedAdmin, TabularInline, person
from shop.admin.refusals import refusal_page
from shop.core.datetimes import format_time

# Fixed when it is announced; the times are shown above, from now and in UTC.
SHOWN = ("product", "slug", "listed", "currency", "limit_per_order", "hold_seconds", "commitment_hex")


class EditionInline(TabularInline[Edition, Drop]):
    model = Edition
    form = EditionForm
    formset = EditionFormSet
    verbose_name_plural = gettext_lazy("editions: what is sold, at which price, how many")

    def get_extra(self, request: HttpRequest, obj: Drop | None = None, **kwargs: Any) -> int:
        return 0 if obj is not None and obj.pk and obj.editions.exists() else 1


class DropAdmin(AuditedAdmin[Drop]):
    """Registered by dropsite.backoffice, whose subclass adds orders and money to `panel`."""

    form = DropForm
    list_display = ("title", "slug", "phase", "opens", "pieces", "listed")
    list_filter = ("listed", "product")
    search_fields = ("title", "slug", "product__name")
    prepopulated_fields = {"slug": ("title",)}
    change_form_template = "admin/drops/drop/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Drop]:
        return super().get_queryset(request).with_state().annotate(pieces=Sum("editions__quantity"))  # type: ignore[attr-defined,no-any-return]

    @admin.display(description=gettext_lazy("phase"))
    def phase(self, drop: Drop) -> str:
        return lifecycle.phase(drop=drop, now=timezone.now()).value

    @admin.display(description=gettext_lazy("opens"), ordering="opens_at")
    def opens(self, drop: Drop) -> str:
        return format_time(drop.opens_at, now=timezone.now())

    @admin.display(description=gettext_lazy("pieces"), ordering="pieces")
    def pieces(self, drop: Any) -> int:
        return int(drop.pieces or 0)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Drop | None:
        """Give the drop; for a posted form under its lock, so that the row of now decides what is fixed."""
        drop = super().get_object(request, object_id, from_field)
        if drop is None or request.method != "POST":
            return drop
        with transaction.atomic():  # a part of the view's own transaction, to whose end the lock is kept
            Drop.objects.select_for_update().filter(pk=drop.pk).first()
            return super().get_object(request, object_id, from_field)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "product" and field is not None:
            field.widget.can_delete_related = False  # beside a drop nobody means to delete a product
        return field

    def get_fieldsets(self, request: HttpRequest, obj: Drop | None = None) -> Any:
        crowd = ((_("Crowd"), {"fields": ("expected",)}),) if may_expect(request, obj) else ()
        if obj is not None and obj.announced_at:
            return ((None, {"fields": ("title",)}), *crowd, (_("Fixed when it was announced"), {"fields": SHOWN}))
        return (
            (None, {"fields": ("title", "slug", "product", "listed")}),
            (_("Times"), {"fields": TIMES}),
            *crowd,
            (_("Selling"), {"fields": ("currency", "limit_per_order", "hold_seconds")}),
        )

    def get_readonly_fields(self, request: HttpRequest, obj: Drop | None = None) -> Any:
        closed = () if may_expect(request, obj) else ("expected",)
        return (*SHOWN, *TIMES, *closed) if obj is not None and obj.announced_at else closed

    def get_prepopulated_fields(self, request: HttpRequest, obj: Drop | None = None) -> Any:
        return {} if obj is not None else self.prepopulated_fields

    def get_inlines(self, request: HttpRequest, obj: Drop | None) -> Any:
        return () if obj is not None and obj.announced_at else (EditionInline,)

    @admin.display(description=gettext_lazy("commitment"))
    def commitment_hex(self, drop: Drop) -> str:
        return bytes(drop.commitment or b"").hex()

    def save_model(self, request: HttpRequest, obj: Drop, form: Any, change: bool) -> None:
        if obj.announced_at:
            obj.save(update_fields=form.changed_data or ["title"])
            if "opens_at" in request.POST:
                messages.warning(request, _("The drop was announced meanwhile: only its title was saved."))
        else:
            super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Prepare for the people expected too, once the drop and its editions are written."""
        super().save_related(request, form, formsets, change)
        if form.has_new_expected:
            self.expect(request, form.instance, form.cleaned_data["expected"])

    def expect(self, request: HttpRequest, drop: Drop, expected: int | None) -> None:
        """Write how many are expected, and say what follows; nothing typed takes the number away."""
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
        """A draft takes what was prepared for it along; that needs no permission of its own."""
        objects, counts, needed, protected = super().get_deleted_objects(objs, request)
        return objects, counts, needed - {ScalePlan._meta.verbose_name}, protected

    def has_delete_permission(self, request: HttpRequest, obj: Drop | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or obj.announced_at is None)

    @transaction.atomic
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Delete a draft; say of an announced drop why it stays."""
        drop = self.get_object(request, object_id)
        if drop is not None and drop.announced_at and self.has_view_permission(request, drop):
            why = _("“%(drop)s” was announced and may have orders, so it stays. Close it instead.") % {"drop": drop}
            return refusal_page(request, admin_site=self.admin_site, about=drop, why=[why])
        return super().delete_view(request, object_id, extra_context)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if kwargs.get("change"):
            context |= self.panel(request, context["original"], timezone.now())
        return super().render_change_form(request, context, *args, **kwargs)

    def panel(self, request: HttpRequest, drop: Drop, now: datetime) -> dict[str, Any]:
        """Give what the page says above its form: phase, what is missing, buttons."""
        phase = lifecycle.phase(drop=drop, now=now)
        return {
            "phase": phase,
            "missing": drop_actions.missing(drop=drop, now=now) if phase == lifecycle.Phase.DRAFT else [],
            "acts": actions.offered(request=request, drop=drop, phase=phase, paused=drop.paused),
            "scale_plan": prepared(request, drop),
        }

    def get_urls(self) -> Any:
        return [
            path(
                f"<uuid:drop_id>/{name}/",
                self.admin_site.admin_view(partial(actions.ask, admin_site=self.admin_site, name=name)),
                name=f"drops_drop_{name}",
            )
            for name in actions.ACTS
        ] + super().get_urls()


def may_expect(request: HttpRequest, drop: Drop | None) -> bool:
    """Whether this person may type how many people are expected."""
    may = request.user.has_perm("scaling.change_scaleplan") and request.user.has_perm("drops.change_drop")
    return bool(may) and (drop is None or drop.closed_at is None)


def prepared(request: HttpRequest, drop: Drop) -> dict[str, Any] | None:
    """Give what the page of a drop says of its preparation; None if nobody is expected or this person may not see."""
    if not request.user.has_perm("scaling.view_scaleplan"):
        return None
    row = ScalePlan.objects.filter(drop=drop).first()
    if row is None:
        return None
    states = [step.get_state_display() for step in Step.objects.filter(drop=drop)]
    return {
        "row": row,
        "states": [(state, states.count(state)) for state in dict.fromkeys(states)],
        "waiting": Step.objects.filter(drop=drop, held_back=True).exclude(state__in=Step.OVER).count(),
        "problems": (row.plan or {}).get("problems", []),
    }
