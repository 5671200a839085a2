"""Names and other texts arrive without characters that nobody sees, at the checkout and in the admin."""

from typing import Any

import pytest
from django import forms
from django.contrib import admin
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import RequestFactory

from drops.scaling.admin.forms import LOCATOR_PREFIX, form_for
from drops.scaling.providers import PROVIDERS
from payments.checkout.forms import CheckoutForm
from shop.admin.actions import ReasonForm
from shop.admin.options import OptionsField, parse_options
from shop.core.plain_text import EmailAddressField, OneLineField, ParagraphsField
from shop.core.prices import PriceField
from tests.payments.views.shopping import GOOD

ZERO_WIDTH_NON_JOINER = "\u200c"
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
CLEANED = [
    ("Ada L.", "Ada L."),
    ("\u202eAda", "Ada"),
    ("Ada\u202c L.", "Ada L."),
    ("\u2066Ada\u2069", "Ada"),
    ("\u202aAda\u202c", "Ada"),
    ("A\u200bda", "Ada"),
    ("\ufeffAda", "Ada"),
    ("Ada\u2060", "Ada"),
    ("A\u00adda", "Ada"),
    ("Ada\U000e0041", "Ada"),
    ("Ada\uffff", "Ada"),
    ("\u202e Ada ", "Ada"),
    # what names are written with
    ("Zoë", "Zoë"),
    ("עדה\u200f ל.", "עדה\u200f ל."),
    (f"می{ZERO_WIDTH_NON_JOINER}خواهم", f"می{ZERO_WIDTH_NON_JOINER}خواهم"),
    (FAMILY, FAMILY),
    ("Ａｄａ", "Ａｄａ"),
]
REFUSED = ["Ada\0", "Ada\nL.", "Ada\rL.", "Ada\tL.", "\x1b[2JAda", "Ada\x7f", "Ada\x9b", "Ada\ud800"]


@pytest.mark.parametrize(("typed", "kept"), CLEANED)
def test_texts_are_kept_without_what_nobody_sees(typed: str, kept: str) -> None:
    assert OneLineField().clean(typed) == kept
    assert ParagraphsField().clean(typed) == kept


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c"])
def test_line_separators_become_spaces_or_line_breaks(separator: str) -> None:
    assert OneLineField().clean(f"Loopback Lane 1{separator}Flat 3") == "Loopback Lane 1 Flat 3"
    assert ParagraphsField().clean(f"One.{separator}Two.") == "One.\nTwo."


@pytest.mark.parametrize("typed", REFUSED)
def test_control_characters_are_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        OneLineField().clean(typed)


@pytest.mark.parametrize("typed", ["One.\n\nTwo.", "One.\r\n\r\nTwo.", "Steel\t1 kg"])
def test_paragraphs_keep_their_lines(typed: str) -> None:
    assert ParagraphsField().clean(typed) == typed
    with pytest.raises(ValidationError):
        ParagraphsField().clean(f"{typed}\x00")


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("ada@example.com", "ada@example.com"),
        ("ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ada@example.com"),
        ("ada@ｅxample.com", "ada@example.com"),
        ("ada@exa\u200bmple.com", "ada@example.com"),
        ("ada@\u202eexample.com\u202c", "ada@example.com"),
        ("\u2066ada@example.com\u2069 ", "ada@example.com"),
        ("ada@bücher.example", "ada@bücher.example"),
        ("ada@פוסט.example", "ada@פוסט.example"),
        ("ada@localhost", "ada@localhost"),
    ],
)
def test_email_addresses_are_kept_as_mail_servers_read_them(typed: str, kept: str) -> None:
    assert EmailAddressField(max_length=254).clean(typed) == kept


@pytest.mark.parametrize(
    "typed",
    [
        '"a\x01"@example.com',
        "ada@exa\u2028mple.com",
        "ada@exa\ue000mple.com",
        "ada@exa\ufffdmple.com",
        "ada@exa\uffffmple.com",
        "ada\0@example.com",
        "ada\n@example.com",
        "ada@" + "a" * 64 + ".example",
        "ada@ex..ample.com",
        "ada",
        "é" * 300 + "@example.com",
    ],
)
def test_email_addresses_that_nobody_can_write_to_are_refused(typed: str) -> None:
    with pytest.raises(ValidationError):
        EmailAddressField(max_length=254).clean(typed)


@pytest.mark.parametrize("name", ["name", "line1", "line2", "postcode", "city", "region"])
def test_checkout_cleans_every_line_of_an_address(name: str) -> None:
    form = CheckoutForm({**GOOD, name: "\u202e1\u2028a\u200b"})
    refused = CheckoutForm({**GOOD, name: "1\na"})

    assert form.is_valid()
    assert form.cleaned_data[name] == "1 a"
    assert refused.errors == {name: ["Remove line breaks and control characters."]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("size=\u202eM", {"size": "M"}),
        ('{"size": "\\u202eM\\u2028L"}', {"size": "M L"}),
        ('{"size": "\\u0000"}', None),
        ('{"size": "\\ud800"}', None),
        ('{"size": ' + "9" * 5_000 + "}", None),
        ('{"size": ' + "[" * 100_000, None),
        ('{"size": "M"}', {"size": "M"}),
    ],
)
def test_options_are_clean_in_json_too(text: str, found: dict[str, str] | None) -> None:
    if found is not None:
        assert OptionsField().clean(text) == found
        return
    with pytest.raises(ValidationError):
        parse_options(text)


def admin_forms() -> list[Any]:
    """Every form of the admin: those of its pages, of their rows and of its actions."""
    request = RequestFactory().get("/admin/")
    request.user = User(is_staff=True, is_superuser=True)
    found: list[Any] = [ReasonForm]
    for model, page in admin.site._registry.items():
        if not page.has_change_permission(request):
            continue
        found.append(page.get_form(request))
        found += [inline.get_formset(request, model()).form for inline in page.get_inline_instances(request)]
    return found


@pytest.mark.django_db
def test_every_text_of_the_admin_is_cleaned() -> None:
    clean = (OneLineField, ParagraphsField, EmailAddressField)
    exact = (forms.SlugField, UsernameField, PriceField, OptionsField)  # which have rules of their own
    wrong = [
        f"{form.__name__}.{name}"
        for form in admin_forms()
        for name, field in form.base_fields.items()
        if isinstance(field, forms.CharField)
        and not isinstance(field, (*clean, *exact))
        and "password" not in name
    ]

    assert wrong == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_text_of_a_scale_target_is_cleaned(provider: str) -> None:
    fields = form_for(provider=provider).declared_fields
    locators = [field for name, field in fields.items() if name.startswith(LOCATOR_PREFIX)]

    assert locators
    assert all(isinstance(field, OneLineField) for field in locators)
