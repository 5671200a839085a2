"""Names of what the line keeps: keys in Redis and cookies in the browser. docs/architecture.md says who writes which.

The braces make Redis Cluster keep all keys of a drop on one node, so that a script may touch them together.
"""

import re

SLUG = re.compile(r"[A-Za-z0-9_-]{1,50}")

COOKIES = ("ticket", "index", "pass", "hold", "held")


def prefix(slug: str) -> str:
    """The beginning of every key of a drop; the 1 is the version of the layout."""
    return f"line1:{{{slug}}}:"


def state(slug: str) -> str:
    """Hash: the numbers that the scripts guard."""
    return f"{prefix(slug)}state"


def clients(slug: str) -> str:
    """Hash: client key (32 hex digits) → index."""
    return f"{prefix(slug)}clients"


def entries(slug: str) -> str:
    """String of u32, big-endian, one per index: the unix second of its last entry, 0 for none."""
    return f"{prefix(slug)}entries"


def seconds(slug: str) -> str:
    """Hash: unix second → how many entered in it."""
    return f"{prefix(slug)}seconds"


def status(slug: str) -> str:
    """String: the status document as JSON."""
    return f"{prefix(slug)}status"


def all_of(slug: str) -> list[str]:
    """Every key of a drop, in the order that the adopt script takes."""
    return [state(slug), clients(slug), entries(slug), seconds(slug), status(slug)]


def cookie(kind: str, slug: str, secure: bool) -> str:
    """Name of a drop's cookie. `kind` is one of COOKIES; `secure` is false only in a demo over plain http."""
    if kind not in COOKIES:
        raise ValueError(kind)
    return f"__Host-{kind}-{slug}" if secure else f"{kind}-{slug}"
