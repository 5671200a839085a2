"""Names of the waiting room's Redis keys and cookies. docs/architecture.md lists which process writes which.

The braces keep all keys of a drop on one node of a Redis Cluster, since scripts use several of them.
"""

import re

SLUG = re.compile(r"[A-Za-z0-9_-]{1,50}")

READINESS = "line1:readiness"  # string: written by the gate to see whether the server takes writes
ANNOUNCED = "line1:announced"  # set: the slugs of announced drops, and NO_DROP
CLOCKS = "line1:clocks"  # hash: written by the gates; see protocol/clocks.py
NO_DROP = ""  # keeps the set in existence while no drop is announced: Redis deletes an empty one
COOKIE_KINDS = ("ticket", "index", "key", "pass", "hold", "held")


def prefix(slug: str) -> str:
    """Return the beginning of every key of a drop; the 1 is the version of the layout."""
    return f"line1:{{{slug}}}:"


def state(slug: str) -> str:
    """Hash: the numbers that the scripts guard."""
    return f"{prefix(slug)}state"


def clients(slug: str) -> str:
    """Hash: client key (32 hex digits) → index."""
    return f"{prefix(slug)}clients"


def entries(slug: str) -> str:
    """String of u32, big-endian, one per index: the unix second of its last entry, 0 if there was none."""
    return f"{prefix(slug)}entries"


def seconds(slug: str) -> str:
    """Hash: unix second → how many entered in it."""
    return f"{prefix(slug)}seconds"


def status(slug: str) -> str:
    """String: the status document as JSON."""
    return f"{prefix(slug)}status"


def all_of(slug: str) -> list[str]:
    """Return every key of a drop, in the order of the adopt script."""
    return [state(slug), clients(slug), entries(slug), seconds(slug), status(slug)]


def cookie(kind: str, slug: str, secure: bool) -> str:
    """Return the name of a drop's cookie.

    `kind` is one of COOKIE_KINDS; `secure` is false only over plain http.
    """
    if kind not in COOKIE_KINDS:
        raise ValueError(kind)
    if secure:
        return f"__Host-{kind}-{slug}"
    return f"{kind}-{slug}"
