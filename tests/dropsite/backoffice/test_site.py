"""The back office as a whole: its time zone, its scripts, what it keeps out."""

import re

import pytest
from django.conf import settings
from django.contrib import admin
from django.urls import reverse
from pytest_django import Settings

from tests.admin_clients import LogIn
from tests.factories import make_drop

CLASSES = re.compile(r'class="([^"{]+)"')
APPS = {"shop", "drops", "scaling", "payments"}


def test_pages_are_in_the_shops_zone(log_in: LogIn, settings: Settings) -> None:
    settings.SHOP_TIME_ZONE = "Asia/Tokyo"
    drop = make_drop(phase="live")

    text = log_in("merchandisers").get(reverse("admin:drops_drop_change", args=[drop.pk])).content.decode()

    assert " JST " in text


@pytest.mark.parametrize("app", ["shop", "drops", "scaling", "payments"])
def test_first_page_lists_what_a_group_may_see(log_in: LogIn, app: str) -> None:
    ops, merchandisers = log_in("ops"), log_in("merchandisers")

    assert reverse("admin:app_list", args=[app]) in ops.get(reverse("admin:index")).content.decode()
    seen = reverse("admin:app_list", args=[app]) in merchandisers.get(reverse("admin:index")).content.decode()
    assert seen == (app != "payments")


def test_every_page_to_look_at_opens(log_in: LogIn) -> None:
    """Each list and each form for adding answers, whatever it shows."""
    client = log_in("ops")
    models = [model for model in admin.site._registry if model._meta.app_label in APPS]

    for model in models:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        assert (model, client.get(reverse(name)).status_code) == (model, 200)
    assert {model._meta.app_label for model in models} == APPS


def test_nothing_inline_is_on_the_desks_pages(log_in: LogIn) -> None:
    """The policy allows no inline script or style: Django's admin has none, nor have our own pages."""
    drop = make_drop(phase="live")
    client = log_in("merchandisers")

    for address in (
        reverse("admin:index"),
        reverse("admin:now"),
        reverse("admin:drops_drop_add"),
        reverse("admin:drops_drop_change", args=[drop.pk]),
        reverse("admin:drops_drop_close", args=[drop.pk]),
        reverse("admin:shop_product_change", args=[drop.product_id]),
    ):
        answer = client.get(address)
        text = answer.content.decode()
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert (address, [bad for bad in (" style=", "<style", "onclick=", "<script>") if bad in text]) == (
            address,
            [],
        )


def test_every_class_of_ours_has_a_style() -> None:
    """A misspelt one showed each picture of the product form in its full size."""
    style = (settings.ROOT / "dropsite/static/backoffice/backoffice.css").read_text()
    sources = [*settings.ROOT.glob("templates/admin/**/*.html"), *settings.ROOT.glob("*/**/admin/*.py")]
    used = {name for path in sources for names in CLASSES.findall(path.read_text()) for name in names.split()}
    ours = {name for name in used if "-" in name and name.split("-")[0] in {"backoffice", "desk", "scaling"}}

    assert {name for name in ours if f".{name}" not in style} == set()
    assert len(ours) > 20
