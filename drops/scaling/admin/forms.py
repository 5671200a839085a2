"""The forms of pre-scaling: a target with the fields of its provider, and the groups that it carries.

A provider's own fields are stored in the target's locator; on the form each is named `locator_<name>`.
"""

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst

from drops.scaling.models import ScalePlan, Share, Target
from drops.scaling.planning.checks import MAX_EXPECTED_SHOPPERS
from drops.scaling.providers import PROVIDERS, BadLocator, Field
from shop.admin.base import BaseInlineFormSet, ModelForm
from shop.core import numerals
from shop.core.plain_text import OneLineField

LOCATOR_PREFIX = "locator_"


def locator_fields(*, provider: str) -> tuple[str, ...]:
    """Return the names of a provider's form fields."""
    return tuple(LOCATOR_PREFIX + field.name for field in PROVIDERS[provider].fields)


class TargetForm(ModelForm[Target]):
    """The form of any target. `form_for` makes a subclass for each provider, with its fields."""

    provider: ClassVar[str] = ""

    class Meta:
        model = Target
        fields = (
            "name", "enabled", "floor", "ceiling", "ops_ceiling", "headroom_percent", "zones", "lead_seconds",
            "connections", "connection_limit", "price_per_hour",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        provider = PROVIDERS.get(self.provider)
        if provider is None:
            return
        for field in provider.fields:
            if LOCATOR_PREFIX + field.name in self.fields:
                self.initial[LOCATOR_PREFIX + field.name] = self.instance.locator.get(
                    field.name, field.default
                )
        if not self.instance.pk and "lead_seconds" in self.fields:
            self.initial["lead_seconds"] = provider.lead_seconds

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        if any(name.startswith(LOCATOR_PREFIX) for name in self.fields):
            self.clean_locator(values)
        self.clean_sizes(values)
        if self.instance.baseline is not None and values.get("enabled") is False:
            self.add_error(
                "enabled",
                "This target is scaled now; if it is disabled, it stays at that size. Press “Restore now” first.",
            )
        return values

    def clean_locator(self, values: dict[str, Any]) -> None:
        """Let the provider check the locator, without a call. Refuse the resource of another target."""
        provider = PROVIDERS[self.provider]
        if any(name.startswith(LOCATOR_PREFIX) for name in self.errors):
            return
        entered = {field.name: values.get(LOCATOR_PREFIX + field.name) for field in provider.fields}
        locator = {name: value for name, value in entered.items() if value}
        try:
            provider.check(locator)
        except BadLocator as bad:
            for name, sentence in bad.errors.items():
                field_name = LOCATOR_PREFIX + name
                self.add_error(field_name if field_name in self.fields else None, sentence)
            return
        resource = provider.resource(locator)
        other = Target.objects.filter(resource=resource).exclude(pk=self.instance.pk).first()
        if other is not None:
            sentence = f"The target “{other}” is the same resource ({resource}). Change that one instead."
            self.add_error(None, sentence)
        self.instance.provider, self.instance.locator, self.instance.resource = (
            self.provider,
            locator,
            resource,
        )

    def clean_sizes(self, values: dict[str, Any]) -> None:
        """Refuse bounds in the wrong order."""
        floor, ceiling, ops_ceiling = (values.get(name) for name in ("floor", "ceiling", "ops_ceiling"))
        if floor is not None and ceiling is not None and floor > ceiling:
            self.add_error("floor", "The floor is above the ceiling. Lower it, or raise the ceiling.")
        if ops_ceiling is not None and ceiling is not None and ops_ceiling > ceiling:
            self.add_error("ops_ceiling", "It can't be above the ceiling. Lower it, or leave it empty.")
        if ops_ceiling is not None and floor is not None and ops_ceiling < floor:
            self.add_error(
                "ops_ceiling",
                "Below the floor, every plan would need approval. Raise it, or lower the floor.",
            )


def form_for(*, provider: str) -> type[TargetForm]:
    """Make the form class of a provider."""
    fields: dict[str, Any] = {
        LOCATOR_PREFIX + field.name: _locator_form_field(field) for field in PROVIDERS[provider].fields
    }
    return type("TargetForm", (TargetForm,), fields | {"provider": provider, "__module__": __name__})


def _locator_form_field(field: Field) -> OneLineField:
    return OneLineField(
        label=capfirst(field.label), help_text=field.help, required=field.required, max_length=300
    )


class ShareForm(ModelForm[Share]):
    class Meta:
        model = Share
        fields = ("group", "percent", "per_second")
        error_messages = {
            "per_second": {
                "required": "Enter the measured throughput of one instance, in requests per second."
            }
        }

    def clean_per_second(self) -> Any:
        per_second = self.cleaned_data["per_second"]
        if per_second <= 0:
            raise ValidationError("Enter a throughput above 0 requests per second.")
        return per_second


class ShareFormSet(BaseInlineFormSet[Share, Target, ModelForm[Share]]):
    def clean(self) -> None:
        """Refuse a target that carries no group."""
        super().clean()
        rows = [form.cleaned_data for form in self.forms]
        has_group = any(row.get("group") and not row.get("DELETE") for row in rows)
        if not has_group and not any(self.errors):
            raise ValidationError("Select at least one group; without one there is nothing to size.")


class ExpectedField(numerals.WholeNumberField):
    """How many shoppers are expected at a drop."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", "Expected shoppers")
        super().__init__(**kwargs)
        self.widget.attrs |= {"min": 1, "max": MAX_EXPECTED_SHOPPERS}

    def validate(self, value: int | None) -> None:
        super().validate(value)
        if value is not None and not 0 < value <= MAX_EXPECTED_SHOPPERS:
            limits = f"Enter a number from 1 to {MAX_EXPECTED_SHOPPERS:,}."
            raise ValidationError(f"{value:,} can't be planned for. {limits}")


class ExpectedForm(ModelForm[ScalePlan]):
    """The expected shoppers, which belong to the drop."""

    expected = ExpectedField(help_text="How many people will join the line in total.")

    class Meta:
        model = ScalePlan
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.initial["expected"] = self.instance.expected


class PreviewForm(forms.Form):
    """A number to try. It isn't stored."""

    expected = ExpectedField()
