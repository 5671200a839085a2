"""What bounds the line: ceilings, of which an operator may set one for a drop or for all, and pauses to look at."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from drops import admission
from drops.models import Ceiling, Drop, Pause
from shop.admin.base import ModelForm, ReadOnlyAdmin, person
from shop.core import audit_log


@admin.register(Pause)
class PauseAdmin(ReadOnlyAdmin[Pause]):
    list_display = ("drop", "began_at", "ended_at", "reason")
    list_filter = ("drop",)
    list_select_related = ("drop",)
    ordering = ("-began_at",)


class CeilingForm(ModelForm[Ceiling]):
    drop = forms.ModelChoiceField(
        Drop.objects.announced().not_ended(), required=False, empty_label=gettext_lazy("all drops together")
    )
    minutes = forms.IntegerField(
        label=gettext_lazy("For how many minutes"),
        required=False,
        min_value=1,
        max_value=1440,
        help_text=gettext_lazy("Empty: until somebody takes it away."),
    )

    class Meta:
        model = Ceiling
        fields = ("drop", "shoppers", "reason")
        help_texts = {
            "shoppers": gettext_lazy("How many may be in at one time without a hold yet. 0 lets nobody in."),
            "reason": gettext_lazy("Shown at the desk and kept in the journal."),
        }


@admin.register(Ceiling)
class CeilingAdmin(ReadOnlyAdmin[Ceiling]):
    """The shop's own are to look at; an operator's is set here, in place of the one before, and taken away again."""

    form = CeilingForm
    list_display = ("kind", "where", "shoppers", "reason", "set_at", "ends_at")
    list_filter = ("kind",)
    list_select_related = ("drop",)
    ordering = ("shoppers",)

    @admin.display(description=gettext_lazy("drop"))
    def where(self, ceiling: Ceiling) -> str:
        return str(ceiling.drop or gettext_lazy("all drops together"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("drops.add_ceiling"))

    def has_delete_permission(self, request: HttpRequest, obj: Ceiling | None = None) -> bool:
        return bool(request.user.has_perm("drops.delete_ceiling")) and (
            obj is None or obj.kind == Ceiling.Kind.OPERATOR
        )

    def get_fields(self, request: HttpRequest, obj: Ceiling | None = None) -> Any:
        return (
            ("drop", "shoppers", "reason", "minutes")
            if obj is None
            else ("kind", "where", "shoppers", "reason", "set_at", "ends_at")
        )

    def save_model(self, request: HttpRequest, obj: Ceiling, form: Any, change: bool) -> None:
        """Set the operator's ceiling, in place of an earlier one."""
        minutes = form.cleaned_data["minutes"]
        with transaction.atomic():
            admission.set_ceiling(
                drop=obj.drop,
                kind=Ceiling.Kind.OPERATOR,
                shoppers=obj.shoppers,
                reason=obj.reason,
                seconds=minutes and minutes * 60,
            )
            after = {"shoppers": obj.shoppers, "reason": obj.reason, "minutes": minutes}
            audit_log.write(who=person(request), about=about(obj), action="ceiling set", after=after)
        obj.pk = Ceiling.objects.get(drop=obj.drop, kind=Ceiling.Kind.OPERATOR).pk

    def delete_model(self, request: HttpRequest, obj: Ceiling) -> None:
        with transaction.atomic():
            before = {"shoppers": obj.shoppers, "reason": obj.reason}
            audit_log.write(who=person(request), about=about(obj), action="ceiling lifted", before=before)
            admission.lift_ceiling(drop=obj.drop, kind=Ceiling.Kind(obj.kind))


def about(ceiling: Ceiling) -> str:
    """Name in the journal what the ceiling bounds."""
    return f"drop:{ceiling.drop.slug}" if ceiling.drop else "drops"
