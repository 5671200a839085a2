"""Write newer.txt again, from MDN's compatibility data.

npm pack @mdn/browser-compat-data && tar xzf mdn-browser-compat-data-*.tgz
.venv/bin/python -m deploy.browsers.update package/data.json
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.browsers.support import NEWER_FILE, OLDEST, Version

# Names that other, older objects have, too, so that only the object tells; on these the lint stays strict.
STRICT = {"Intl.NumberFormat.formatRange", "Intl.NumberFormat.formatRangeToParts"}
NO_MEMBER = re.compile(r"_event$|_parameter$|_option$|_support$|^ecmascript_modules$")
HEADER = """\
# What a browser of the support table lacks, by MDN's compatibility data {version} (CC0): kind, name, first versions.
# Written by `python -m deploy.browsers.update`. Members of an interface that is itself newer are left out.
"""


def first_version(compat: dict[str, Any], browser: str) -> Version | None:
    """Return the version that has the whole feature, without prefix or flag."""
    stated = compat["support"].get(browser, [])
    for statement in stated if isinstance(stated, list) else [stated]:
        if statement.keys() & {"prefix", "alternative_name", "flags", "partial_implementation"}:
            continue
        added = statement["version_added"]
        if isinstance(added, str) and added != "preview" and "version_removed" not in statement:
            major, minor = [*re.findall(r"\d+", added), "0"][:2]
            return int(major), int(minor)
    return None


def is_newer(compat: dict[str, Any]) -> bool:
    """Whether a browser of the support table lacks it."""
    firsts = {browser: first_version(compat, browser) for browser in OLDEST}
    return any(first is None or first > OLDEST[browser] for browser, first in firsts.items())


def exists(compat: dict[str, Any]) -> bool:
    """Whether it is a standard that some browser has. What none has can't be used anyway."""
    status = compat.get("status", {})
    if status.get("standard_track") is False or status.get("deprecated"):
        return False
    return any(first_version(compat, browser) for browser in OLDEST)


def features(node: dict[str, Any], *path: str) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every feature of a part of the data: its path, its compatibility."""
    for name, child in node.items():
        if name == "__compat":
            continue
        if "__compat" in child:
            yield (*path, name), child["__compat"]
        yield from features(child, *path, name)


def versions(compat: dict[str, Any]) -> str:
    """Return "Safari 16, Firefox 100, Chromium 124"."""
    words = []
    for browser, name in (("safari", "Safari"), ("firefox", "Firefox"), ("chrome", "Chromium")):
        first = first_version(compat, browser)
        number = f"{first[0]}.{first[1]}".removesuffix(".0") if first else "never"
        words.append(f"{name} {number}")
    return ", ".join(words)


def script_features(data: dict[str, Any]) -> Iterator[str]:
    """Globals, statics and members of instances."""
    found = {
        path: compat
        for part in (data["api"], data["javascript"]["builtins"])
        for path, compat in features(part)
        if re.fullmatch(r"[A-Za-z]\w*", path[-1]) and not NO_MEMBER.search(path[-1])
    }
    known = {path[-1] for path, compat in found.items() if not is_newer(compat)}
    for path, compat in found.items():
        if not is_newer(compat) or not exists(compat):
            continue
        line = script_feature(path[:-1], path[-1], known=known)
        owner = found.get(path[:-1])
        if line and not (owner and is_newer(owner)):
            yield f"{line}\t{versions(compat)}"


def script_feature(owner: tuple[str, ...], name: str, *, known: set[str]) -> str | None:
    """Return a feature's kind and name. None if it is part of another, or its name says nothing by itself."""
    if not owner:
        return f"global\t{name}"
    if name in owner or len(owner) > (2 if owner[0] == "Intl" else 1):
        return None
    if name.endswith("_static") or owner == ("Intl",):
        return f"static\t{'.'.join(owner)}.{name.removesuffix('_static')}"
    path = ".".join((*owner, name))
    if name in known and path not in STRICT:
        return None
    return f"global\t{name}" if owner == ("Window",) else f"method\t{path}"


def style_features(data: dict[str, Any]) -> Iterator[str]:
    """At-rules, selectors and properties. styles.py names the values that matter."""
    for kind, part in (("at-rule", "at-rules"), ("selector", "selectors"), ("property", "properties")):
        for path, compat in features(data["css"][part]):
            if len(path) == 1 and is_newer(compat) and exists(compat):
                yield f"{kind}\t{path[0]}\t{versions(compat)}"


def main(file: str) -> None:
    """Write newer.txt from the data in a file."""
    data = json.loads(Path(file).read_text(encoding="utf-8"))
    lines = sorted({*script_features(data), *style_features(data)})
    header = HEADER.format(version=data["__meta"]["version"])
    NEWER_FILE.write_text(header + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"{len(lines)} features")


if __name__ == "__main__":
    main(*sys.argv[1:])
