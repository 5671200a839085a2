"""Find what a supported browser lacks in a style sheet. It drops the declaration or the rule, and reads on.

So each such use is one of two: listed here with what the page looks like without it, or a problem.
"""

import re
from collections.abc import Iterator

from deploy.browsers.support import read_newer

# Values that MDN's data doesn't state as one name.
VALUES = {
    "subgrid": (r"\bsubgrid\b", "Safari 16, Chromium 117"),
    "a thickness in text-decoration": (r"text-decoration:[^;}]*\d(?:px|em|rem|%)", "Safari 26.2"),
    "a range in @media": (r"@media[^{]*[<>]", "Safari 16.4"),
    "nested rules": (r"[{;]\s*&", "Safari 17.2, Firefox 117, Chromium 120"),
    "a newer colour": (
        r"\b(?:color-mix|light-dark|oklch|oklab|lab|lch|color)\(",
        "Safari 16.2, Chromium 111 and later",
    ),
    "a trigonometric or rounding function": (
        r"\b(?:sin|cos|tan|atan2?|pow|sqrt|hypot|round|mod|rem|abs)\(",
        "Chromium 111 and later",
    ),
    "a container's unit": (r"\dcq(?:w|h|i|b|min|max)\b", "Safari 16"),
    "lh or rlh": (r"\dr?lh\b", "Safari 16.4, Firefox 120"),
}
# What the page looks like without it.
HARMLESS = {
    "at-rule view-transition": "pages change without a transition",
    "property view-transition-name": "the same",
    "selector view-transition-group": "the same",
    "selector view-transition-old": "the same",
    "selector view-transition-new": "the same",
    "property text-wrap": "lines break where they are full",
    "property mask-image": "the picture ends at an edge",
    "property mask-composite": "the same",
    "property text-size-adjust": "its -webkit- form stands beside it",
    "selector user-invalid": "the script marks the field",
    "selector has": "the chosen edition isn't bold; @supports has the space below the footer",
    "property accent-color": "radio buttons have the browser's colour",
    "property outline": "the focus ring has square corners",
    "value subgrid": "a grid of its own, declared before it",
}


def mixed_lists(style: str) -> Iterator[tuple[int, str]]:
    """Selector lists of which a browser that lacks one drops the others with it: position, selector."""
    newer = "|".join(name for kind, name, _ in read_newer() if kind == "selector")
    newer_pseudo = re.compile(rf"::?(?:{newer})\b(?!-)")
    for rule in re.finditer(r"(?:^|(?<=[{};]))([^{};@]+)\{", style):
        parts = [newer_pseudo.search(part) for part in rule[1].split(",")]
        if any(parts) and not all(parts):
            yield rule.start(), next(found[0] for found in parts if found)


def problems(source: str) -> list[str]:
    """Return each use, in a style sheet, of what a supported browser lacks and HARMLESS doesn't explain."""
    style = re.sub(r"/\*.*?\*/", lambda comment: "\n" * comment[0].count("\n"), source, flags=re.DOTALL)
    searched = [(f"value {name}", pattern, first) for name, (pattern, first) in VALUES.items()]
    for kind, name, first in read_newer():
        pattern = {
            "at-rule": rf"@{name}\b(?!-)",
            "selector": rf"(?<=[\w\s\])*>,{{}}]):{{1,2}}{name}\b(?!-)(?=[^;}}]*{{)",
            "property": rf"(?<![\w-]){name}\s*:",
        }.get(kind)
        if pattern:
            searched.append((f"{kind} {name}", pattern, first))
    found = []
    for what, pattern, first in searched:
        if what in HARMLESS:
            continue
        for use in re.finditer(pattern, style):
            line = style.count("\n", 0, use.start()) + 1
            found.append(f"{line}: the {what} needs {first}: do without, or say in HARMLESS what is lost")
    for position, selector in mixed_lists(style):
        line = style.count("\n", 0, position) + 1
        found.append(
            f"{line}: {selector} takes the rest of its list with it where it is unknown: make it a rule of its own"
        )
    return found
