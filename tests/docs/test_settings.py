"""docs/settings.md is complete, and .env.example names what has no default."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*"


def names(path: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (ROOT / path).read_text()))


def documented() -> set[str]:
    return names("docs/settings.md", rf"`({NAME})`")


def test_every_variable_that_is_read_is_documented() -> None:
    read = names("dropsite/settings.py", rf'\b(?:env|need)\.\w+\(\s*"({NAME})"')
    read |= names("drops/waitingroom/protocol/config.py", rf'(?:text|keys|get)\("({NAME})"')
    read |= names("Procfile", rf"\$\{{?({NAME})")
    read |= names("deploy/nginx/rendering.py", rf'environment(?:\.get\(|\[)"({NAME})"')

    assert read - documented() == set()


def test_the_example_names_what_has_no_default() -> None:
    example = names(".env.example", rf"(?m)^({NAME})=")

    assert names("dropsite/settings.py", rf'\bneed\.\w+\(\s*"({NAME})"') - example == set()
    assert example - documented() == set()
