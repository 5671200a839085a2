"""Read and apply again and again, as ticks do, until a target is ready."""

from dataclasses import dataclass, field

from drops.scaling.providers import OutcomeUnclear, Provider, Reading
from drops.scaling.providers.base import State

MAX_READS = 60


@dataclass
class Way:
    """How a target reached a state."""

    readings: list[Reading] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)  # of what was applied


def bring(provider: Provider, state: State, *, max_reads: int = MAX_READS) -> Way:
    """Read, and apply while it differs, until it is ready; what is unclear is tried again.

    Fails after `max_reads`.
    """
    way = Way()
    for _read in range(max_reads):
        try:
            reading = provider.read()
            way.readings.append(reading)
            if provider.is_ready(reading, state):
                return way
            if not provider.is_same(reading.state, state):
                way.messages.append(provider.apply(state, key="one").message)
        except OutcomeUnclear as fault:
            way.faults.append(str(fault))
    raise AssertionError(f"never ready: {way.readings[-3:]} {way.faults[-3:]}")
