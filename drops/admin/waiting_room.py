"""Ceilings, of which operators may set and lift their own, and pauses to look at."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest

from drops import admission
from drops.models import Ceiling, Drop, Pause
from shop.admin.base import ModelForm, ReadOnlyAdmin, person
from shop.core import audit_log, numerals

ALL_DROPS = "all drops together"


@admin.register(Pause)
class PauseAdmin(ReadOnlyAdmin[Pause]):
    list_display = ("drop", "began_at", "ended_at", "reason")
    list_filter = ("drop",)
    list_select_related = ("drop",)
    ordering = ("-began_at",)


class CeilingForm(ModelForm[Ceiling]):
    drop = forms.ModelChoiceField(Drop.objects.announced().not_ended(), required=False, empty_label=ALL_DROPS)
    minutes = numerals.WholeNumberField(
        label="Duration in minutes",
        required=False,
        min_value=1,
        max_value=1440,
        help_text="Leave it empty for a ceiling that stays until it is deleted.",
    )

    class Meta:
        model = Ceiling
        fields = ("drop", "shoppers", "reason")
        help_texts = {
            "shoppers": "How many shoppers may be in at once without a hold. 0 admits nobody.",
            "reason": "Shown in the admin and kept in the audit log.",
        }


@admin.register(Ceiling)
class CeilingAdmin(ReadOnlyAdmin[Ceiling]):
    """Every ceiling can be viewed. Operators set and delete their own; a new one replaces the one before."""

    form = CeilingForm
    list_display = ("kind", "scope", "shoppers", "reason", "set_at", "ends_at")
    list_filter = ("kind",)
    list_select_related = ("drop",)
    ordering = ("shoppers",)

    @admin.display(description="drop")
    def scope(self, ceiling: Ceiling) -> str:
        return str(ceiling.drop or ALL_DROPS)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("drops.add_ceiling"))

    def has_delete_permission(self, request: HttpRequest, obj: Ceiling | None = None) -> bool:
        if obj is not None and obj.kind != Ceiling.Kind.OPERATOR:
            return False
        return bool(request.user.has_perm("drops.delete_ceiling"))

    def get_fields(self, request: HttpRequest, obj: Ceiling | None = None) -> Any:
        if obj is None:
            return ("drop", "shoppers", "reason", "minutes")
        return ("kind", "scope", "shoppers", "reason", "set_at", "ends_at")

    def save_model(self, request: HttpRequest, obj: Ceiling, form: Any, change: bool) -> None:
        """Set the operator's ceiling in place of the one before."""
        minutes = form.cleaned_data["minutes"]
        seconds = None
        if minutes is not None:
            seconds = minutes * 60
        with transaction.atomic():
            admission.set_ceiling(
                drop=obj.drop,
                kind=Ceiling.Kind.OPERATOR,
                shoppers=obj.shoppers,
                reason=obj.reason,
                seconds=seconds,
            )
            after = {"shoppers": obj.shoppers, "reason": obj.reason, "minutes": minutes}
            audit_log.write(actor=person(request), about=about(obj), action="ceiling set", after=after)
        # set_ceiling() wrote the row past the form; the admin asks for its key to link to it.
        obj.pk = Ceiling.objects.get(drop=obj.drop, kind=Ceiling.Kind.OPERATOR).pk

    def delete_model(self, request: HttpRequest, obj: Ceiling) -> None:
        with transaction.atomic():
            before = {"shoppers": obj.shoppers, "reason": obj.reason}
            audit_log.write(actor=person(request), about=about(obj), action="ceiling lifted", before=before)
            admission.lift_ceiling(drop=obj.drop, kind=Ceiling.Kind(obj.kind))


def about(ceiling: Ceiling) -> str:
    """Return what the audit log names for a ceiling: its drop, or all drops."""
    if ceiling.drop is None:
        return "drops"
    return f"drop:{ceiling.drop.slug}"
