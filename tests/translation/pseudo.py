"""A pseudo-language: every message accented and in brackets, so that plain English stands out."""

import re
from html.parser import HTMLParser
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from deploy import messages

LANGUAGE = "en-xa"  # CLDR's code for English with accents
LOCALE = "en_XA"
ACCENTS = str.maketrans("aceinouyACEINOUY", "áćéíñóúýÁĆÉÍÑÓÚÝ")
KEPT = re.compile(r"%\(\w+\)[sd]|%%|\{\w*\}|<[^>]*>")  # placeholders and markup
TRANSLATED = re.compile(r"⟦[^⟦⟧]*⟧")
# What is nobody's to translate: email and web addresses, order numbers, numbers in hexadecimal.
NAMES = re.compile(
    r"\S+@\S+|https?://\S+|/\S+/|\b[2-9A-Z]{4}-[2-9A-Z]{4}\b|\b[0-9a-f-]{32,}\b|\bUTC\b|\bCES?T\b"
)
WORD = re.compile(r"[A-Za-z]{2,}")
STATES = {"data-state", "data-phase", "data-now"}  # "sold out" is a name there
SPOKEN = {"alt", "title", "aria-label", "placeholder"}  # attributes that people read or hear


def write_catalogue(folder: Path) -> None:
    """Write the pseudo-language's catalogue into a folder for LOCALE_PATHS."""
    template = messages.collect()
    translated = Catalog(charset="utf-8")
    for message in template:
        if not message.id:
            continue
        texts = message.id if isinstance(message.id, (list, tuple)) else (message.id,)
        accented = tuple(accent(text) for text in texts)
        translated.add(message.id, accented if len(texts) > 1 else accented[0], context=message.context)
    path = folder / LOCALE / "LC_MESSAGES" / "django.mo"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_mo(file, translated)


def accent(text: str) -> str:
    """Return "⟦Jóíñ thé líñé⟧" for "Join the line"; placeholders and markup stay as they are."""
    parts, last = [], 0
    for match in KEPT.finditer(text):
        parts += [text[last : match.start()].translate(ACCENTS), match[0]]
        last = match.end()
    parts.append(text[last:].translate(ACCENTS))
    return f"⟦{''.join(parts)}⟧"


class _Texts(HTMLParser):
    """Collects what people read on a page: text, and the attributes that carry text."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._skipped: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"style", "script", "pre", "time"}:
            self._skipped.append(tag)
        found = {name: value or "" for name, value in attrs}
        for name, value in found.items():
            sentence = name.startswith("data-") and " " in value and name not in STATES
            if name in SPOKEN or sentence or (name == "content" and found.get("name") == "description"):
                self.texts.append(value)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped and tag == self._skipped[-1]:
            self._skipped.pop()

    def handle_data(self, data: str) -> None:
        # Texts that enclose markup arrive in pieces, so their brackets are matched over the whole page.
        self.texts.append("" if self._skipped else data)


def untranslated(page: str) -> list[str]:
    """Return the pieces of a page (or of a plain text) that a shopper would still read in English."""
    reader = _Texts()
    reader.feed(page)
    reader.close()
    rest = "\n".join(reader.texts)
    while TRANSLATED.search(rest):
        rest = TRANSLATED.sub(" ", rest)
    rest = NAMES.sub(" ", rest)
    return [line.strip() for line in rest.splitlines() if WORD.search(line)]
