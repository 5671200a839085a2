"""Base classes of every app's admin pages: typed, read-only, or with the audit log of their changes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.contrib import admin
from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Model
from django.http import HttpRequest

from shop.core import audit_log, numerals

__all__ = [
    "AuditedAdmin",
    "BaseInlineFormSet",
    "ModelForm",
    "ReadOnlyAdmin",
    "ReadOnlyInline",
    "TabularInline",
    "person",
]

M = TypeVar("M", bound=Model)
Parent = TypeVar("Parent", bound=Model)

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin, TabularInline
    from django.forms import BaseInlineFormSet, ModelForm
else:

    class Subscripted:
        """Lets Django's classes be written with the type parameters that django-stubs gives them."""

        def __class_getitem__(cls, _parameters):
            return cls

    class ModelAdmin(Subscripted, admin.ModelAdmin):
        formfield_overrides = numerals.FORM_FIELDS

    class TabularInline(Subscripted, admin.TabularInline):
        formfield_overrides = numerals.FORM_FIELDS

    class ModelForm(Subscripted, forms.ModelForm):
        pass

    class BaseInlineFormSet(Subscripted, forms.BaseInlineFormSet):
        pass


class ReadOnlyAdmin(ModelAdmin[M]):
    """Rows that only the shop itself writes. People can read and search them, not change them."""

    actions: Any = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


class ReadOnlyInline(TabularInline[M, Parent]):
    """Rows that are shown on the page of the object they belong to."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Parent | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Parent | None = None) -> bool:
        return False


class AuditedAdmin(ModelAdmin[M]):
    """Pages whose changes are written to the audit log: who, when, what, from, to."""

    actions = None  # Django's only one of its own deletes rows without checking our rules

    def about(self, obj: M) -> str:
        """Return the object's name in the audit log, such as "product:nth-place"."""
        return f"{obj._meta.model_name}:{getattr(obj, 'slug', obj.pk)}"

    def save_related(self, request: HttpRequest, form: Any, formsets: Iterable[Any], change: bool) -> None:
        super().save_related(request, form, formsets, change)
        before, after = changes(form)
        for formset in formsets:
            for row_before, row_after in (changes(row) for row in formset.forms if row.has_changed()):
                before |= row_before
                after |= row_after
        if before or after or not change:
            audit_log.write(
                actor=person(request),
                about=self.about(form.instance),
                action="changed" if change else "added",
                before=before,
                after=after,
            )

    def delete_model(self, request: HttpRequest, obj: M) -> None:
        before = {"name": str(obj)}
        audit_log.write(actor=person(request), about=self.about(obj), action="deleted", before=before)
        super().delete_model(request, obj)


def person(request: HttpRequest) -> AbstractBaseUser | None:
    """Return the user who made the request. The admin never lets an anonymous visitor in."""
    if isinstance(request.user, AbstractBaseUser):
        return request.user
    return None


def changes(form: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Return a bound form's changed fields before and after, as text; those of a row carry the row's name."""
    prefix = f"{form.instance} · " if form.prefix else ""
    if form.prefix and form.cleaned_data.get("DELETE"):
        return {prefix.removesuffix(" · "): "deleted"}, {}
    names = [name for name in form.changed_data if name != form._meta.model._meta.pk.name]
    return (
        {prefix + name: str(form.initial.get(name, "")) for name in names},
        {prefix + name: str(form.cleaned_data.get(name, "")) for name in names},
    )
