"""The gate's language."""

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from drops.waitingroom.gate.language import Language


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a catalogue for German in Austria."""
    translated = Catalog(locale="de_AT")
    translated.add("Archive", "Archiv")
    translated.add(("One person", "{n} people"), ("Eine Person", "{n} Personen"))
    path = tmp_path / "de_AT/LC_MESSAGES/django.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, translated)
    return tmp_path


def test_activate_translates_by_the_catalogue_of_the_language(folder: Path) -> None:
    language = Language()

    language.activate("de-at", folder=folder)

    assert language.gettext("Archive") == "Archiv"
    assert [language.ngettext("One person", "{n} people", n) for n in (1, 2)] == [
        "Eine Person",
        "{n} Personen",
    ]


@pytest.mark.parametrize("code", ["en", "fr", "de-ch"])
def test_activate_leaves_english_without_a_catalogue(folder: Path, code: str) -> None:
    language = Language()

    language.activate(code, folder=folder)

    assert language.gettext("Archive") == "Archive"
    assert language.ngettext("One person", "{n} people", 2) == "{n} people"
