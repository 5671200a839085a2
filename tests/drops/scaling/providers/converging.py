"""Looks at a target again and again, as ticks do, until it stands."""

from dataclasses import dataclass, field

from drops.scaling.providers import OutcomeUnclear, Provider, Reading
from drops.scaling.providers.base import State

LOOKS = 60


@dataclass
class Way:
    """How a target came to a state."""

    readings: list[Reading] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  # of what was asked


def bring(kind: Provider, state: State, *, looks: int = LOOKS) -> Way:
    """Read, and ask while it is not so, until it is READY; what is unknown is tried again. Fails after `looks`."""
    way = Way()
    for _look in range(looks):
        try:
            reading = kind.read()
            way.readings.append(reading)
            if kind.is_ready(reading, state):
                return way
            if not kind.is_same(reading.state, state):
                way.words.append(kind.apply(state, key="one").message)
        except OutcomeUnclear as fault:
            way.faults.append(str(fault))
    raise AssertionError(f"never READY: {way.readings[-3:]} {way.faults[-3:]}")
