"""`make messages`: collect every text that shoppers read into locale/<language>/LC_MESSAGES/django.po.

Python and templates are searched for gettext's functions and tags; translations that exist are kept, and
compiled for Django and the gate, which read the same catalogue. `make messages NEW=de` begins a language.
Pure Python (Babel), since GNU gettext, which Django's makemessages calls, is missing on many machines.
"""

import argparse
import re
import sys
from ast import literal_eval
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "locale"
FOLDERS = ("drops", "dropsite", "payments", "shop", "templates")
# Folders that no shopper reads from.
OPS = ("admin", "backoffice", "demo", "loadtest", "management", "migrations", "models", "scaling")
METHODS = [
    *((f"**/{folder}/**", "ignore") for folder in OPS),
    ("**.py", "python"),
    ("**.html", "deploy.messages:extract_template"),
    ("**.txt", "deploy.messages:extract_template"),
]
KEYWORDS: dict[str, Any] = DEFAULT_KEYWORDS | {
    "gettext_lazy": None,
    "ngettext_lazy": (1, 2),
    "pgettext_lazy": ((1, "c"), 2),
    "gettext_noop": None,
    "ngettext_noop": (1, 2),
}

TRANSLATE = re.compile(r"""{%\s*(?:translate|trans)\s+(?P<text>"[^"]*"|'[^']*')(?P<rest>.*?)%}""")
BLOCK = re.compile(
    r"{%\s*blocktrans(?:late)?\b(?P<options>.*?)%}(?P<one>.*?)"
    r"(?:{%\s*plural\s*%}(?P<many>.*?))?{%\s*endblocktrans(?:late)?\s*%}",
    re.DOTALL,
)
VARIABLE = re.compile(r"{{\s*(\w+)\s*}}")


def main(arguments: list[str]) -> int:
    """Update every catalogue, or with --check only compare. Return the exit code: 1 if one is out of date."""
    parser = argparse.ArgumentParser(prog="python -m deploy.messages", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail if a catalogue is out of date"
    )
    parser.add_argument("--new", metavar="LANGUAGE", help="begin a catalogue for this language")
    options = parser.parse_args(arguments)
    template = collect()
    languages = {"en"} | {path.parts[-3] for path in LOCALE.glob("*/LC_MESSAGES/django.po")}
    if options.new:
        languages.add(options.new)
    outdated = []
    for language in sorted(languages):
        is_current = update(language, template, check=options.check)
        if not is_current:
            outdated.append(language)
    if options.check and outdated:
        sys.stdout.write(f"These catalogues are out of date: {', '.join(outdated)}. Run `make messages`.\n")
        return 1
    return 0


def collect() -> Catalog:
    """Return a catalogue of every text in the code, without translations."""
    template = Catalog(project="Dropsite", charset="utf-8", creation_date=datetime.now(UTC))
    for folder in FOLDERS:
        found = extract_from_dir(ROOT / folder, METHODS, keywords=KEYWORDS, strip_comment_tags=True)
        for _file, _line, message, comments, context in found:
            template.add(message, auto_comments=comments, context=context)
    return template


def update(language: str, template: Catalog, *, check: bool) -> bool:
    """Bring one language's catalogue up to date, unless only to `check`. Return whether it was already."""
    path = LOCALE / language / "LC_MESSAGES" / "django.po"
    catalogue = Catalog(locale=language, project="Dropsite", charset="utf-8", fuzzy=False)
    # Babel would fill these with placeholders.
    catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = ""
    if path.exists():
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
    before = ids(catalogue)
    if before == ids(template):
        return True
    if not check:
        catalogue.update(template, no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        catalogue.header_comment = (
            f"# The texts that shoppers read, in {catalogue.locale}: see `make messages`."
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            write_po(file, catalogue, no_location=True, sort_output=True, width=110)
        compile_catalogue(path, catalogue)
    return False


def compile_catalogue(path: Path, catalogue: Catalog) -> None:
    """Write the .mo file beside the .po file, unless nothing is translated (English needs none)."""
    if any(message.id and message.string and any(message.string) for message in catalogue):
        with path.with_suffix(".mo").open("wb") as file:
            write_mo(file, catalogue)


def ids(catalogue: Catalog) -> set[tuple[str | None, str | tuple[str, ...]]]:
    """Return what identifies each message: its context and its text, or its texts for one and for many."""
    found: set[tuple[str | None, str | tuple[str, ...]]] = set()
    for message in catalogue:
        if not message.id:
            continue
        if isinstance(message.id, (list, tuple)):
            found.add((message.context, tuple(message.id)))
        else:
            found.add((message.context, message.id))
    return found


def extract_template(
    file: IO[bytes], _keywords: object, _tags: object, options: object
) -> Iterator[tuple[int, str, str | tuple[str, ...], list[str]]]:
    """Find the texts of a Django template, in the form that Babel expects of an extractor."""
    source = file.read().decode()
    for match in TRANSLATE.finditer(source):
        yield line_of(source, match), "gettext", literal_eval(match["text"]), []
    for match in BLOCK.finditer(source):
        trimmed = "trimmed" in match["options"].split()
        one = block_text(match["one"], trimmed=trimmed)
        if match["many"] is None:
            yield line_of(source, match), "gettext", one, []
        else:
            yield line_of(source, match), "ngettext", (one, block_text(match["many"], trimmed=trimmed)), []


def block_text(text: str, *, trimmed: bool) -> str:
    """Return the message of a blocktranslate tag as Django looks it up: with %(name)s for {{ name }}."""
    if trimmed:
        text = " ".join(line.strip() for line in text.strip().splitlines())
    return VARIABLE.sub(r"%(\1)s", text.replace("%", "%%"))


def line_of(source: str, match: re.Match[str]) -> int:
    """Return the number of the line on which a match begins."""
    return source.count("\n", 0, match.start()) + 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
