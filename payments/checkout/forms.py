"""The checkout form: mail, name, address, what was shown as the total, and the token that stands for the card."""

import re
from dataclasses import fields
from functools import lru_cache
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from payments.checkout.submit import Address
from payments.models import Order
from shop import shipping

CONTROL = re.compile(r"[\x01-\x1f\x7f]")  # a null is refused by Django
NO_POSTCODES = frozenset({"IE"})  # where parcels arrive without one
ADDRESS = tuple(field.name for field in fields(Address))


def one_line(value: str) -> None:
    """Refuse line breaks and other control characters: what is written goes on a parcel and into a mail."""
    if CONTROL.search(value):
        raise ValidationError(_("Remove line breaks and control characters."), code="control")


def words(name: str, *, most: int, **options: Any) -> forms.CharField:
    """Make a field of one line; `name` is the browser's own for it (the autocomplete attribute)."""
    return forms.CharField(
        max_length=most,
        validators=[one_line],
        widget=forms.TextInput(attrs={"autocomplete": name}),
        error_messages={"required": _("We need this to ship your order.")},
        **options,
    )


class CountrySelect(forms.Select):
    """A list of countries, written once for each that may be chosen: thirty options cost as much as the page."""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        attributes = self.build_attrs({**self.attrs, "name": name}, attrs)
        return format_html("<select{}>{}</select>", flatatt(attributes), options(tuple(self.choices), value))


@lru_cache(maxsize=256)
def options(choices: tuple[tuple[str, str], ...], chosen: str | None) -> SafeString:
    """Write the options of a list, {value, name} each."""
    rows = ((value, mark_safe(" selected") if value == chosen else "", name) for value, name in choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', rows)


class CheckoutForm(forms.Form):
    """What a shopper writes on the checkout page. The card itself never comes here."""

    email = forms.EmailField(
        label=_("Email"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
        error_messages={
            "required": _("Enter your email address. We'll send your confirmation there."),
            "invalid": _("Enter a valid email address, such as ada@example.com."),
        },
    )
    name = words("name", label=_("Name"), most=120)
    line1 = words("address-line1", label=_("Address line 1"), most=120)
    line2 = words("address-line2", label=_("Address line 2 (optional)"), most=120, required=False)
    postcode = words("postal-code", label=_("Postcode"), most=16, required=False)
    city = words("address-level2", label=_("Town or city"), most=80)
    region = words("address-level1", label=_("State or region (optional)"), most=80, required=False)
    country = forms.ChoiceField(
        label=_("Country"),
        choices=lambda: countries(order=None),
        widget=CountrySelect(attrs={"autocomplete": "country"}),
        error_messages={
            "required": _("We need this to ship your order."),
            "invalid_choice": _("We don't ship to that country. Choose one from the list."),
        },
    )
    shown_total = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    confirmation_token = forms.CharField(
        max_length=80,
        widget=forms.HiddenInput,
        validators=[
            RegexValidator(
                r"\Actoken_[A-Za-z0-9_]+\Z", _("Your card details couldn't be read. Please enter them again.")
            )
        ],
        error_messages={"required": _("Enter your card details, then press Pay.")},
    )

    def clean(self) -> dict[str, object]:
        """Ask for a postcode where parcels need one."""
        data = super().clean() or self.cleaned_data
        country = data.get("country")
        if country and country not in NO_POSTCODES and not data.get("postcode") and "postcode" not in self.errors:
            self.add_error("postcode", _("Enter a postcode. Parcels to this country need one."))
        return data

    def address(self) -> Address:
        """Give what was written, once it is valid."""
        return Address(**{name: self.cleaned_data[name] for name in ADDRESS})

    def country_options(self) -> SafeString:
        """Write the options once more, for the form that works without script."""
        field = self.fields["country"]
        choices = list(field.choices) if isinstance(field, forms.ChoiceField) else []  # type: ignore[arg-type]
        return options(tuple(choices), self["country"].value())

    @classmethod
    def to_fill(cls, *, order: Order | None, country: str, total: int) -> "CheckoutForm":
        """Make the form for a page: empty, or as an earlier attempt filled it."""
        known = {name: getattr(order, name) for name in ADDRESS} if order else {}
        form = cls(initial=known | {"country": country, "shown_total": total})
        field = form.fields["country"]
        if order and isinstance(field, forms.ChoiceField):
            field.choices = countries(order=order)
        return form


def countries(*, order: Order | None) -> list[tuple[str, str]]:
    """List where the shop sends to; for an order that was begun, where that costs the same: its total is fixed."""
    return [
        (code, name)
        for code, name in shipping.countries().items()
        if order is None or shipping.rate(country=code) == order.shipping
    ]


def country_of(*, chosen: str | None, order: Order | None) -> str:
    """Decide the country that a page is priced for: the one asked for, the order's, the shop's own."""
    known = dict(countries(order=order))
    return next((code for code in (chosen, order and order.country) if code in known), settings.SHIPPING_HOME)
