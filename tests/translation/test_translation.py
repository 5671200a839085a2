"""Shoppers' texts can be translated: in a pseudo-language, no page, refusal or email has plain English left."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client

from tests.translation import gate_pages, pages
from tests.translation.pages import Page
from tests.translation.pseudo import accent, untranslated


@pytest.mark.django_db
@pytest.mark.parametrize("visit", [pages.public, pages.turn, pages.paying, pages.orders, pages.errors])
def test_pages_leave_nothing_untranslated(
    visit: Callable[[Client], Iterator[Page]], pseudo_language: None, shopper: Client
) -> None:
    found = {name: rest for name, page in visit(shopper) if (rest := untranslated(page))}

    assert found == {}


def test_the_gate_leaves_nothing_untranslated(pseudo_language: None, tmp_path: Path) -> None:
    found = {name: rest for name, page in gate_pages.gate(tmp_path) if (rest := untranslated(page))}

    assert found == {}


def test_accent_keeps_placeholders_and_markup() -> None:
    assert accent('<b>%(n)s</b> of {all}, 5%% off: "{time}"') == '⟦<b>%(n)s</b> óf {all}, 5%% óff: "{time}"⟧'


def test_untranslated_finds_plain_text_and_attributes() -> None:
    page = '<p title="Plain">⟦Trañsláted <b>all</b> through⟧ but not this</p><p data-x="Nor this">⟦x⟧</p><a href="/x/">'

    assert untranslated(page) == ["Plain", "but not this", "Nor this"]
