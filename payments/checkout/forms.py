"""The checkout form: email, name, address, the total that was shown, and the card's ConfirmationToken."""

from dataclasses import fields
from functools import lru_cache
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from payments.checkout.submission import MAX_TOKEN_CHARACTERS, Address
from payments.models import Order
from payments.orders.queries import HoldDetails
from shop import shipping
from shop.core.plain_text import EmailAddressField, OneLineField

COUNTRIES_WITHOUT_POSTCODES = frozenset({"IE"})  # where a parcel arrives without one
ADDRESS_FIELDS = tuple(field.name for field in fields(Address))


def one_line_field(autocomplete: str, *, max_length: int, **options: Any) -> forms.CharField:
    """Return a field of one line that browsers can fill in: it is printed on parcels and in emails."""
    return OneLineField(
        max_length=max_length,
        widget=forms.TextInput(attrs={"autocomplete": autocomplete}),
        error_messages={"required": _("We need this to ship your order.")},
        **options,
    )


class CountrySelect(forms.Select):
    """A list of countries.

    Its thirty options cost as much as the rest of the page, so their HTML is cached.
    """

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        attributes = self.build_attrs({**self.attrs, "name": name}, attrs)
        options = render_options(tuple(self.choices), value)
        return format_html("<select{}>{}</select>", flatatt(attributes), options)


@lru_cache(maxsize=256)
def render_options(choices: tuple[tuple[str, str], ...], chosen: str | None) -> SafeString:
    """Return the HTML of a select element's options; each choice is its value and its name."""
    rows = ((value, mark_safe(" selected") if value == chosen else "", name) for value, name in choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', rows)


class CheckoutForm(forms.Form):
    """A shopper's entries on the checkout page. The card itself goes to Stripe, never to us."""

    email = EmailAddressField(
        label=_("Email"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "email", "inputmode": "email"}),
        error_messages={
            "required": _("Enter your email address. We'll send your confirmation there."),
            "invalid": _("Enter a valid email address, such as ada@example.com."),
        },
    )
    name = one_line_field("name", label=_("Name"), max_length=120)
    line1 = one_line_field("address-line1", label=_("Address line 1"), max_length=120)
    line2 = one_line_field(
        "address-line2", label=_("Address line 2 (optional)"), max_length=120, required=False
    )
    postcode = one_line_field("postal-code", label=_("Postcode"), max_length=16, required=False)
    city = one_line_field("address-level2", label=_("Town or city"), max_length=80)
    region = one_line_field(
        "address-level1", label=_("State or region (optional)"), max_length=80, required=False
    )
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
    shown_version = forms.IntegerField(min_value=1, max_value=32767, widget=forms.HiddenInput)
    confirmation_token = forms.CharField(
        max_length=MAX_TOKEN_CHARACTERS,
        widget=forms.HiddenInput,
        validators=[
            RegexValidator(
                r"\Actoken_[A-Za-z0-9_]+\Z", _("Your card details couldn't be read. Please enter them again.")
            )
        ],
        error_messages={"required": _("Enter your card details, then press Pay.")},
    )

    def clean(self) -> dict[str, object]:
        """Require a postcode where parcels need one."""
        data = super().clean() or self.cleaned_data
        country = data.get("country")
        is_missing = not data.get("postcode") and "postcode" not in self.errors
        if is_missing and country and country not in COUNTRIES_WITHOUT_POSTCODES:
            self.add_error("postcode", _("Enter a postcode. Parcels to this country need one."))
        return data

    def address(self) -> Address:
        """Return the address of a valid form."""
        return Address(**{name: self.cleaned_data[name] for name in ADDRESS_FIELDS})

    def country_options(self) -> SafeString:
        """Return the countries' options again, for the form that works without JavaScript."""
        field = self.fields["country"]
        choices = field.choices if isinstance(field, forms.ChoiceField) else ()
        return render_options(tuple(choices), self["country"].value())  # type: ignore[arg-type]

    @classmethod
    def for_page(cls, *, details: HoldDetails, country: str, total: int) -> "CheckoutForm":
        """Return the form for a page: empty, or with the address of an earlier attempt."""
        order = details.order
        earlier = {name: getattr(order, name) for name in ADDRESS_FIELDS} if order else {}
        shown = {"country": country, "shown_total": total, "shown_version": details.hold.version}
        form = cls(initial=earlier | shown)
        field = form.fields["country"]
        if order and isinstance(field, forms.ChoiceField):
            field.choices = countries(order=order)
        return form


def countries(*, order: Order | None) -> list[tuple[str, str]]:
    """Return the codes and names of the countries that we ship to.

    Once an order exists its total is fixed, so only countries with the same shipping price are left.
    """
    return [
        (code, name)
        for code, name in shipping.countries().items()
        if order is None or shipping.rate(country=code) == order.shipping
    ]


def choose_country(*, requested: str | None, order: Order | None) -> str:
    """Return the country to price a page for: the requested one, else the order's, else the shop's own."""
    served = dict(countries(order=order))
    if requested in served:
        return str(requested)
    if order is not None and order.country in served:
        return order.country
    return settings.SHIPPING_HOME
