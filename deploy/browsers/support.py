"""The support table, and what MDN says that a browser of it lacks.

`newer.txt` is written by `python -m deploy.browsers.update`; docs/browsers.md has the table in words.
"""

from pathlib import Path
from typing import NamedTuple

Version = tuple[int, int]

# By MDN's names. Safari on iOS counts as Safari: it is the engine of every browser there.
OLDEST: dict[str, Version] = {
    "safari": (15, 4),
    "safari_ios": (15, 4),
    "firefox": (115, 0),
    "chrome": (109, 0),
}
NEWER_FILE = Path(__file__).with_name("newer.txt")


class Newer(NamedTuple):
    """A feature that a supported browser lacks. `first` are the versions that have it, for the message."""

    kind: str  # global, static, method (or another member of an instance), at-rule, selector, property
    name: str
    first: str


def read_newer() -> list[Newer]:
    """Return the features of newer.txt."""
    lines = NEWER_FILE.read_text(encoding="utf-8").splitlines()
    return [Newer(*line.split("\t")) for line in lines if line and not line.startswith("#")]
