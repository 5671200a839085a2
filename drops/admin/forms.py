"""The forms of a drop that is still a draft, and of its editions."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from drops.drop_actions import MINIMUMS
from drops.models import Drop, Edition
from drops.scaling.admin.forms import ExpectedField
from drops.scaling.models import ScalePlan
from drops.scaling.planning import history
from shop.admin.base import BaseInlineFormSet, ModelForm
from shop.core import money, prices
from shop.core.datetimes import LocalTimeField, format_time
from shop.models import Variant

TIMES = ("lobby_opens_at", "opens_at", "closes_at")


class DropForm(ModelForm[Drop]):
    lobby_opens_at = LocalTimeField(label=gettext_lazy("Lobby opens"), required=False)
    opens_at = LocalTimeField(label=gettext_lazy("Opens"), required=False)
    closes_at = LocalTimeField(label=gettext_lazy("Closes"), required=False)
    # With what the form was shown with, so that one left open since the morning changes no number typed meanwhile.
    expected = ExpectedField(required=False, show_hidden_initial=True)

    class Meta:
        model = Drop
        fields = ("title", "slug", "product", "listed", "currency", "limit_per_order", "hold_seconds", *TIMES)
        help_texts = {"slug": gettext_lazy("The end of the drop's address, /drops/…/. Fixed once announced.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zone = _("Local time in %(zone)s.") % {"zone": timezone.get_current_timezone_name()}
        for name in TIMES:
            if name in self.fields:
                saved = getattr(self.instance, name)
                self.fields[name].help_text = format_time(saved, now=timezone.now()) if saved else zone
        if "expected" in self.fields:
            found = ScalePlan.objects.filter(drop=self.instance.pk).values_list("expected", flat=True).first()
            self.initial["expected"] = found
            self.fields["expected"].help_text = suggested(drop=self.instance)

    @cached_property
    def changed_data(self) -> list[str]:
        """Name the changed fields of the drop itself: how many are expected is no field of its row."""
        return [name for name in super().changed_data if name != "expected"]

    @property
    def has_new_expected(self) -> bool:
        """Whether somebody typed another number of expected shoppers, or took it away."""
        return "expected" in self.fields and bool(self["expected"]._has_changed())  # type: ignore[attr-defined]

    def clean_currency(self) -> str:
        currency = str(self.cleaned_data["currency"]).strip().upper()
        if currency not in MINIMUMS:
            raise ValidationError(
                _("“%(currency)s” can't be charged. Choose one of %(known)s."),
                params={"currency": currency, "known": ", ".join(MINIMUMS)},
            )
        return currency

    def clean_opens_at(self) -> Any:
        opens_at = self.cleaned_data["opens_at"]
        if opens_at and opens_at <= timezone.now():
            raise ValidationError(_("That time has passed. Choose one that is still to come."))
        return opens_at

    def clean(self) -> dict[str, Any]:
        """Refuse times in the wrong order."""
        values = super().clean() or self.cleaned_data
        lobby, opens, closes = (values.get(name) for name in TIMES)
        if lobby and opens and lobby >= opens:
            self.add_error("lobby_opens_at", _("The lobby has to open before the drop does. Choose an earlier time."))
        if closes and opens and closes <= opens:
            self.add_error(
                "closes_at", _("The drop would close before it opens. Choose a later time, or leave it empty.")
            )
        return values


def suggested(*, drop: Drop) -> str:
    """Say what to type, as the last drops had it. HTML: a slug is in it."""
    found = history.suggest(drop=drop)
    words = _("How many people come to the line, all in all. Empty: nothing is prepared.")
    if not found.expected:
        return format_html("{} {}", words, found.reason)
    number = number_format(found.expected, force_grouping=True)
    return format_html("{} {} {}", words, _("Suggested: %(n)s.") % {"n": number}, found.reason)


class EditionForm(ModelForm[Edition]):
    price = prices.PriceField(label=gettext_lazy("price"))

    class Meta:
        model = Edition
        fields = ("variant", "price", "quantity", "limit_per_order", "position")

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["price"].currency = self.currency = currency  # type: ignore[attr-defined]

    def clean_price(self) -> int:
        price = int(self.cleaned_data["price"])
        least = MINIMUMS.get(self.currency, 1)
        if price < least:
            raise ValidationError(
                _("Stripe charges %(least)s at least. Raise the price."),
                params={"least": money.format_amount(amount=least, currency=self.currency)},
            )
        return price


class EditionFormSet(BaseInlineFormSet[Edition, Drop, ModelForm[Edition]]):
    def get_form_kwargs(self, index: int | None) -> dict[str, Any]:
        return {**super().get_form_kwargs(index), "currency": self.instance.currency}

    def add_fields(self, form: ModelForm[Edition], index: int | None) -> None:
        super().add_fields(form, index)
        variants = form.fields["variant"]
        if isinstance(variants, forms.ModelChoiceField):
            variants.queryset = self.variants()

    def variants(self) -> Any:
        """Give what may be chosen: the product's variants, or all while no product is chosen."""
        if not hasattr(self, "_variants"):
            variants = Variant.objects.select_related("product")
            mine = variants.filter(product=self.instance.product_id) if self.instance.product_id else variants
            self._variants = mine
        return self._variants

    def clean(self) -> None:
        """Refuse variants of another product, and limits above the drop's."""
        super().clean()
        for form in self.forms:
            limit = form.cleaned_data.get("limit_per_order")
            if limit and limit > (self.instance.limit_per_order or 1):
                form.add_error(
                    "limit_per_order",
                    ValidationError(
                        _("Choose 1 to %(limit)s, the drop's own limit."),
                        params={"limit": self.instance.limit_per_order},
                    ),
                )
