"""Base classes of every app's admin pages: typed, read-only, or with the audit log of their changes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from django import forms
from django.contrib import admin
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.contrib.admin.widgets import AdminTextInputWidget
from django.contrib.auth.models import AbstractBaseUser
from django.db import models, transaction
from django.db.models import Model
from django.http import HttpRequest

from shop.admin import conflicts, visibility
from shop.core import audit_log, numerals, plain_text

__all__ = [
    "AuditedAdmin",
    "BaseInlineFormSet",
    "ConflictAdmin",
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

    def filtered(entry):
        """Return the field of an entry of list_filter, which may be a pair of field and filter."""
        return entry[0] if isinstance(entry, tuple | list) else entry

    FORM_FIELDS = {
        **numerals.FORM_FIELDS,
        **plain_text.FORM_FIELDS,
        models.SlugField: {"widget": AdminTextInputWidget},  # its own form field refuses all but letters
    }

    class ModelAdmin(Subscripted, admin.ModelAdmin):
        formfield_overrides = FORM_FIELDS

        def get_object(self, request, object_id, from_field=None):
            return super().get_object(request, object_id, from_field or None)  # ?_to_field= names no field

        # Relations whose name is shown to everyone who may see the row, such as who acted in the audit log.
        shown_relations = ()

        def may_follow(self, request, path):
            """Whether this person may view what a lookup leads to."""
            is_shown = visibility.first_name(path) in self.shown_relations
            return is_shown or visibility.may_follow(request.user, self.model, path)

        def get_search_fields(self, request):
            return [path for path in super().get_search_fields(request) if self.may_follow(request, path)]

        def get_list_filter(self, request):
            return [
                one for one in super().get_list_filter(request) if self.may_follow(request, filtered(one))
            ]

        def get_list_display(self, request):
            columns = super().get_list_display(request)
            return [name for name in columns if self.may_follow(request, self.ordering_path(name))]

        def ordering_path(self, name):
            """Return the lookup that a column is sorted by, which is also what it shows."""
            return str(getattr(getattr(self, str(name), None), "admin_order_field", None) or name)

        def lookup_allowed(self, lookup, value, request):
            """Whether an address may compare a field: it is shown, and so is what it leads to."""
            if not super().lookup_allowed(lookup, value, request):
                return False
            return self.may_follow(request, lookup) and visibility.first_name(lookup) in self.shown(request)

        def shown(self, request):
            """Return the names of the fields that the list or the page of a row shows."""
            names = flatten_fieldsets(self.get_fieldsets(request))
            names += [self.ordering_path(name) for name in self.get_list_display(request)]
            names += [filtered(one) for one in self.get_list_filter(request)]
            names += [*self.get_search_fields(request), self.date_hierarchy or "pk", "pk"]
            return {self.model._meta.pk.name, *map(visibility.first_name, names)}

    class TabularInline(Subscripted, admin.TabularInline):
        formfield_overrides = FORM_FIELDS
        max_num = 300  # rows; whatever number a request names, no more forms are made

        def get_formset(self, request, obj=None, **kwargs):
            return super().get_formset(request, obj, **{"absolute_max": self.max_num} | kwargs)

    class ModelForm(Subscripted, forms.ModelForm):
        pass

    class BaseInlineFormSet(Subscripted, forms.BaseInlineFormSet):
        pass


class RefusedForm(ModelForm[Any]):
    """Put before a form's own class: the form isn't valid, so that nothing is saved."""

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self.add_error(None, conflicts.MESSAGE)
        return cleaned


class ConflictAdmin(ModelAdmin[M]):
    """Pages that two people may edit at once; shop.admin.conflicts says what happens then."""

    def about(self, obj: M) -> str:
        """Return the object's name in the audit log, such as "product:nth-place"."""
        return f"{obj._meta.model_name}:{getattr(obj, 'slug', obj.pk)}"

    def lock(self, obj: M) -> None:
        """Lock the row in the caller's transaction, so that one person saves after the other."""
        self.model._default_manager.select_for_update(no_key=True).filter(pk=obj.pk).first()

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        """Show or save the form. Nothing is saved if somebody else saved the row after it was loaded."""
        with transaction.atomic():
            context = self.conflict_context(request, object_id)
            return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def conflict_context(self, request: HttpRequest, object_id: str | None) -> dict[str, Any]:
        """Return what the page shows of conflicts. Rewrites the posted data of a form that has one."""
        obj = None
        if object_id is not None:
            obj = self.get_object(request, unquote(object_id))
        if obj is None or not self.has_change_permission(request, obj):
            return {}
        if request.method == "POST":
            self.lock(obj)
            obj = self.get_object(request, unquote(str(object_id))) or obj
        form, formsets = self.unbound_forms(request, obj, shape=obj)
        current = conflicts.take(form=form, formsets=formsets, about=self.about(obj))
        context: dict[str, Any] = {"loaded": conflicts.pack(current)}
        loaded = conflicts.unpack(request.POST.get(conflicts.LOADED, ""))
        if loaded is None:
            return context
        fixed = current
        if set(loaded.values) - set(current.values) or set(loaded.rows) - set(current.rows):
            form, formsets = self.unbound_forms(request, obj, shape=None)
            fixed = conflicts.take(form=form, formsets=formsets, about=self.about(obj))
        merge = conflicts.Merge(
            loaded=loaded,
            current=current,
            fixed=fixed,
            posted=request.POST,
            files=request.FILES,
            labels=conflicts.labels(form=form, formsets=formsets),
            choices=conflicts.choices(form=form, formsets=formsets),
            blanks=conflicts.blanks(formsets),
            multiple=conflicts.multiple(form),
            about=self.about(obj),
        )
        context["conflicts"] = merge.run()
        if context["conflicts"]:
            request.POST = merge.data  # type: ignore[assignment]  # a copy, which may be changed
        return context

    def unbound_forms(self, request: HttpRequest, obj: M, *, shape: M | None) -> tuple[Any, list[Any]]:
        """Return the form and the tables of a row, with the fields of `shape`; None: of a new row."""
        form = self.get_form(request, shape, change=shape is not None)(instance=obj)
        formsets = [
            formset(instance=obj, prefix=formset.get_default_prefix(), queryset=inline.get_queryset(request))
            for formset, inline in self.get_formsets_with_inlines(request, shape)
        ]
        return form, formsets

    def get_form(
        self, request: HttpRequest, obj: M | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        """Return the form's class; one that saves nothing if somebody else has saved the row."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if conflicts.is_refused(request):
            metaclass: Any = type(form)
            return metaclass(form.__name__, (RefusedForm, form), {})
        return form


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


class AuditedAdmin(ConflictAdmin[M]):
    """Pages whose changes are written to the audit log: who, when, what, from, to."""

    actions = None  # Django's only one of its own deletes rows without checking our rules

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
    key = form._meta.model._meta.pk.name
    is_deleted = form.prefix and form.cleaned_data.get("DELETE")
    if is_deleted and form.cleaned_data.get(key) is None:
        return {}, {}  # a new row that was never saved
    prefix = f"{form.instance} · " if form.prefix else ""
    if is_deleted:
        return {prefix.removesuffix(" · "): "deleted"}, {}
    names = [name for name in form.changed_data if name != key and "password" not in name]
    return (
        {prefix + name: str(form.initial.get(name, "")) for name in names},
        {prefix + name: str(form.cleaned_data.get(name, "")) for name in names},
    )
