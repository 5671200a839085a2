"""The forms of pre-scaling: a target with the fields of its own kind, and what it carries of each group.

What a kind must be told is kept in the target's `where`; on the form each is a field named `where_<name>`.
"""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.formats import number_format
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from drops.scaling.models import ScalePlan, Share, Target
from drops.scaling.planning.checks import MOST_EXPECTED
from drops.scaling.providers import PROVIDERS, BadLocator
from shop.admin.base import BaseInlineFormSet, ModelForm

PREFIX = "where_"


def where_names(*, kind: str) -> tuple[str, ...]:
    """Name the form's fields of a kind."""
    return tuple(PREFIX + field.name for field in PROVIDERS[kind].fields)


class TargetForm(ModelForm[Target]):
    """Its subclasses, one for each kind, have the kind's fields besides."""

    kind: ClassVar[str] = ""

    class Meta:
        model = Target
        fields = (
            "name", "enabled", "floor", "ceiling", "ops_ceiling", "headroom_percent", "zones", "lead_seconds",
            "connections", "connection_limit", "price_per_hour",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kind = PROVIDERS.get(self.kind)
        if kind is None:
            return
        for field in kind.fields:
            if PREFIX + field.name in self.fields:
                self.initial[PREFIX + field.name] = self.instance.where.get(field.name, field.default)
        if not self.instance.pk and "lead_seconds" in self.fields:
            self.initial["lead_seconds"] = kind.lead_seconds

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if any(name.startswith(PREFIX) for name in self.fields):
            self.clean_where(values)
        self.clean_sizes(values)
        if self.instance.baseline is not None and values.get("enabled") is False:
            self.add_error(
                "enabled",
                _("It is scaled now, and what is switched off is never brought back. Press “Restore now” first."),
            )
        return values

    def clean_where(self, values: dict[str, Any]) -> None:
        """Let the kind look at what it was told, without a call; refuse what another target is already."""
        kind = PROVIDERS[self.kind]
        where = {field.name: values[PREFIX + field.name] for field in kind.fields if values.get(PREFIX + field.name)}
        if any(name.startswith(PREFIX) for name in self.errors):
            return
        try:
            kind.check(where)
        except BadLocator as bad:
            for name, sentence in bad.faults.items():
                self.add_error(PREFIX + name if PREFIX + name in self.fields else None, sentence)
            return
        resource = kind.resource(where)
        other = Target.objects.filter(resource=resource).exclude(pk=self.instance.pk).first()
        if other is not None:
            self.add_error(
                None,
                ValidationError(
                    _("The target “%(other)s” is this already (%(resource)s). Change that one instead."),
                    params={"other": other, "resource": resource},
                ),
            )
        self.instance.kind, self.instance.where, self.instance.resource = self.kind, where, resource

    def clean_sizes(self, values: dict[str, Any]) -> None:
        """Refuse bounds in the wrong order."""
        floor, ceiling, ops = (values.get(name) for name in ("floor", "ceiling", "ops_ceiling"))
        if floor is not None and ceiling is not None and floor > ceiling:
            self.add_error("floor", _("The floor is above the ceiling. Lower it, or raise the ceiling."))
        if ops is not None and ceiling is not None and ops > ceiling:
            self.add_error("ops_ceiling", _("It can't be above the ceiling. Lower it, or leave it empty."))
        if ops is not None and floor is not None and ops < floor:
            self.add_error(
                "ops_ceiling", _("Below the floor every plan would wait for a yes. Raise it, or lower the floor.")
            )


def form_for(*, kind: str) -> type[TargetForm]:
    """Make the form of a kind."""
    fields: dict[str, Any] = {
        PREFIX + field.name: forms.CharField(
            label=capfirst(_(field.label)),
            help_text=_(field.help) if field.help else "",
            required=field.required,
            max_length=300,
        )
        for field in PROVIDERS[kind].fields
    }
    return type("TargetForm", (TargetForm,), fields | {"kind": kind, "__module__": __name__})


class ShareForm(ModelForm[Share]):
    class Meta:
        model = Share
        fields = ("group", "percent", "per_second")
        error_messages = {
            "per_second": {"required": gettext_lazy("Say what one instance can do, measured: requests a second.")}
        }

    def clean_per_second(self) -> Any:
        per_second = self.cleaned_data["per_second"]
        if per_second <= 0:
            raise ValidationError(_("An instance does something: write more than 0 a second."))
        return per_second


class ShareFormSet(BaseInlineFormSet[Share, Target, ModelForm[Share]]):
    def clean(self) -> None:
        """Refuse a target that carries nothing."""
        super().clean()
        rows = [form for form in self.forms if form.cleaned_data.get("group") and not form.cleaned_data.get("DELETE")]
        if not rows and not any(self.errors):
            raise ValidationError(_("Name one group at least that it carries: of nothing, no size follows."))


class ExpectedField(forms.IntegerField):
    """How many people are expected of a drop."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", gettext_lazy("Expected shoppers"))
        super().__init__(**kwargs)
        self.widget.attrs |= {"min": 1, "max": MOST_EXPECTED}

    def validate(self, value: int | None) -> None:
        super().validate(value)
        if value is not None and not 0 < value <= MOST_EXPECTED:
            raise ValidationError(
                _("%(value)s can't be planned for. Write a number from 1 to %(most)s."),
                params={
                    "value": number_format(value, force_grouping=True),
                    "most": number_format(MOST_EXPECTED, force_grouping=True),
                },
            )


class ExpectedForm(ModelForm[ScalePlan]):
    expected = ExpectedField(help_text=gettext_lazy("How many people come to the line, all in all."))

    class Meta:
        model = ScalePlan
        fields = ("expected",)


class AskedForm(forms.Form):
    """A number to try, which is kept nowhere."""

    expected = ExpectedField()
