"""The forms of a drop that is still a draft, and of its editions."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html

from drops.drop_actions import MIN_CHARGES
from drops.models import Drop, Edition
from drops.scaling.admin.forms import ExpectedField
from drops.scaling.planning import history
from shop.admin.base import BaseInlineFormSet, ModelForm
from shop.core import money, prices
from shop.core.datetimes import LocalTimeField, format_time
from shop.models import Variant

TIMES = ("lobby_opens_at", "opens_at", "closes_at")


class DropForm(ModelForm[Drop]):
    lobby_opens_at = LocalTimeField(label="Lobby opens", required=False)
    opens_at = LocalTimeField(label="Opens", required=False)
    closes_at = LocalTimeField(label="Closes", required=False)
    # The initial value is posted, too: a form left open since the morning doesn't undo a later change.
    expected = ExpectedField(required=False, show_hidden_initial=True)

    class Meta:
        model = Drop
        fields = ("title", "slug", "product", "listed", "currency", "limit_per_order", "hold_seconds", *TIMES)
        help_texts = {"slug": "The last part of the drop's address, /drops/…/. Fixed once announced."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = f"Local time in {timezone.get_current_timezone_name()}."
        for name in TIMES:
            if name in self.fields:
                self.fields[name].help_text = zone
                saved = getattr(self.instance, name)
                if saved:
                    self.fields[name].help_text = format_time(saved, now=timezone.now())
        if "expected" in self.fields:
            self.initial["expected"] = self.instance.expected_shoppers
            self.fields["expected"].help_text = expected_help(drop=self.instance)

    @cached_property
    def changed_data(self) -> list[str]:
        """Names of the changed fields of the drop itself, to which `expected` doesn't belong."""
        return [name for name in super().changed_data if name != "expected"]

    @property
    def has_new_expected(self) -> bool:
        """Whether a valid form changes or removes the number of expected shoppers that it was shown with."""
        if "expected" not in self.fields:
            return False
        shown: object = self.data.get(self["expected"].html_initial_name, "")
        return shown != str(self.cleaned_data["expected"] or "")

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        if currency not in MIN_CHARGES:
            raise ValidationError(
                "“%(currency)s” can't be charged. Choose one of %(known)s.",
                params={"currency": currency, "known": ", ".join(MIN_CHARGES)},
            )
        return currency

    def clean_opens_at(self) -> Any:
        opens_at = self.cleaned_data["opens_at"]
        if opens_at and opens_at <= timezone.now():
            raise ValidationError("This time has passed. Choose a time in the future.")
        return opens_at

    def clean(self) -> dict[str, Any]:
        """Refuse times in the wrong order."""
        values = super().clean() or self.cleaned_data
        lobby, opens, closes = (values.get(name) for name in TIMES)
        if lobby and opens and lobby >= opens:
            self.add_error(
                "lobby_opens_at", "The lobby must open before the drop does. Choose an earlier time."
            )
        if closes and opens and closes <= opens:
            self.add_error(
                "closes_at", "The drop would close before it opens. Choose a later time, or leave it empty."
            )
        return values


def expected_help(*, drop: Drop) -> str:
    """Return the help text of `expected`, with a suggestion from the last drops, as HTML."""
    suggestion = history.suggest(drop=drop)
    text = "How many people will join the line in total. Leave it empty to plan nothing."
    if suggestion.expected:
        text += f" Suggested: {suggestion.expected:,}."
    return format_html("{} {}", text, suggestion.reason)


class EditionForm(ModelForm[Edition]):
    price = prices.PriceField(label="price")

    class Meta:
        model = Edition
        fields = ("variant", "price", "quantity", "limit_per_order", "position")

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["price"].currency = self.currency = currency  # type: ignore[attr-defined]

    def clean_price(self) -> int:
        price = int(self.cleaned_data["price"])
        lowest = MIN_CHARGES.get(self.currency, 1)
        if price < lowest:
            raise ValidationError(
                "The lowest amount that Stripe charges is %(lowest)s. Raise the price.",
                params={"lowest": money.format_amount(amount=lowest, currency=self.currency)},
            )
        return price


class EditionFormSet(BaseInlineFormSet[Edition, Drop, ModelForm[Edition]]):
    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "currency": self.instance.currency}

    def add_fields(self, form: ModelForm[Edition], index: int | None) -> None:
        super().add_fields(form, index)
        form.instance.drop = self.instance  # with the currency that was entered
        variants = form.fields["variant"]
        if isinstance(variants, forms.ModelChoiceField):
            variants.queryset = self.variants

    @cached_property
    def variants(self) -> QuerySet[Variant]:
        """The variants to choose from: the product's, or all of them while no product is chosen."""
        variants = Variant.objects.select_related("product")
        if self.instance.product_id:
            return variants.filter(product=self.instance.product_id)
        return variants

    def clean(self) -> None:
        """Refuse variants of another product, and limits above the drop's."""
        super().clean()
        for form in self.forms:
            limit = form.cleaned_data.get("limit_per_order")
            if limit and limit > (self.instance.limit_per_order or 1):
                form.add_error(
                    "limit_per_order",
                    ValidationError(
                        "Choose a number from 1 to %(limit)s, the drop's own limit.",
                        params={"limit": self.instance.limit_per_order},
                    ),
                )
