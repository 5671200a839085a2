"""What gates report of their machines' clocks: they know no database, so they compare with Redis's clock.

A hash, machine → "seconds ahead of Redis, unix second of the reading by Redis".
"""

from typing import Any, NamedTuple

RECENT_SECONDS = 3600  # older readings are of machines that are gone


class Reading(NamedTuple):
    """How far a machine's clock is ahead of Redis's."""

    machine: str
    ahead_seconds: float


def field(ahead_seconds: float, *, now: float) -> str:
    """Return the value of a machine's field."""
    return f"{ahead_seconds:.3f},{now:.0f}"


def recent(fields: dict[bytes, bytes], *, now: float) -> list[Reading]:
    """Return the readings of the last hour; an unreadable field is left out."""
    readings = []
    for machine, value in fields.items():
        try:
            ahead, read_at = map(float, value.split(b","))
        except ValueError:
            continue
        if now - read_at < RECENT_SECONDS:
            readings.append(Reading(machine.decode(errors="replace"), ahead))
    return readings


def seconds(reply: Any) -> float:
    """Return the unix time of a reply to TIME."""
    second, micros = reply
    return float(second) + float(micros) / 1e6
