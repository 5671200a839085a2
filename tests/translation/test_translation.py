"""Shoppers' texts can be translated: in a pseudo-language, no plain English is left."""

from pathlib import Path

import pytest

import drops.urls
import payments.urls
from tests.translation import gate_pages, pages
from tests.translation.conftest import Shopper
from tests.translation.pseudo import accent, untranslated


@pytest.mark.django_db
def test_pages_leave_nothing_untranslated(pseudo_language: None, shopper: Shopper) -> None:
    visits = (pages.public, pages.turn, pages.paying, pages.orders, pages.errors)
    shown = [page for visit in visits for page in visit(shopper)]

    assert {name: rest for name, page in shown if (rest := untranslated(page))} == {}
    routes = {route.name for route in (*drops.urls.urlpatterns, *payments.urls.urlpatterns)}
    assert routes - shopper.routes == set()  # every page was visited


def test_the_gate_leaves_nothing_untranslated(pseudo_language: None, tmp_path: Path) -> None:
    shown = [*gate_pages.gate(tmp_path), *gate_pages.notices()]

    assert {name: rest for name, page in shown if (rest := untranslated(page))} == {}


def test_accent_keeps_placeholders_and_markup() -> None:
    assert accent('<b>%(n)s</b> of {all}, 5%% off: "{time}"') == '⟦<b>%(n)s</b> óf {all}, 5%% óff: "{time}"⟧'


def test_untranslated_finds_plain_text_and_attributes() -> None:
    page = '<p title="Plain">⟦Trañsláted <b>all</b> through⟧ but not this</p><p data-x="Nor this">⟦x⟧</p><a href="/x/">'

    assert untranslated(page) == ["Plain", "but not this", "Nor this"]
