"""`make messages`: what is found in templates, and that translations survive an update."""

import io
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from deploy import messages

TEMPLATE = """{% load i18n %}
<h1 title="{% translate "It's your turn." %}">{% trans 'Archive' as title %}</h1>
{% blocktranslate count n=count with name=drop.title %}{{ n }} piece of {{ name }}, 5 % off
{% plural %}{{ n }} pieces of {{ name }}{% endblocktranslate %}
<p>{% blocktranslate trimmed %}
  Opens
  {{ opens }}
{% endblocktranslate %}</p>
"""


@pytest.fixture
def locale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for catalogues."""
    monkeypatch.setattr(messages, "LOCALE", tmp_path)
    return tmp_path


def catalogue(*texts: str) -> Catalog:
    """A catalogue of untranslated texts."""
    made = Catalog(charset="utf-8")
    for text in texts:
        made.add(text)
    return made


def test_extract_template_finds_every_tag_as_django_looks_it_up() -> None:
    found = list(messages.extract_template(io.BytesIO(TEMPLATE.encode()), (), (), {}))

    assert found == [
        (2, "gettext", "It's your turn.", []),
        (2, "gettext", "Archive", []),
        (3, "ngettext", ("%(n)s piece of %(name)s, 5 %% off\n", "%(n)s pieces of %(name)s"), []),
        (5, "gettext", "Opens %(opens)s", []),
    ]


def test_collect_finds_texts_of_pages_python_and_the_gate() -> None:
    found = {message.id for message in messages.collect()}

    assert {"Join the line", "Back to checkout", "The line is temporarily unavailable."} <= found


def test_update_keeps_translations_and_compiles_them(locale: Path) -> None:
    messages.update("de", catalogue("Join", "Leave"), check=False)
    path = locale / "de/LC_MESSAGES/django.po"
    path.write_text(path.read_text().replace('msgid "Join"\nmsgstr ""', 'msgid "Join"\nmsgstr "Anstellen"'))

    assert not messages.update("de", catalogue("Join", "Enter"), check=False)

    with path.open("rb") as file:
        texts = {message.id: message.string for message in read_po(file) if message.id}
    assert texts == {"Join": "Anstellen", "Enter": ""}
    with path.with_suffix(".mo").open("rb") as compiled:
        assert read_mo(compiled)["Join"].string == "Anstellen"


def test_update_tells_whether_a_catalogue_was_current(locale: Path) -> None:
    assert not messages.update("de", catalogue("Join"), check=True)
    assert list(locale.iterdir()) == []
    messages.update("de", catalogue("Join"), check=False)

    assert messages.update("de", catalogue("Join"), check=True)
