"""The skew of machines' clocks, measured against the database's.

Nothing that guards stock or money compares with a machine's clock, but pages say times by it, and a pass
ends by it. Each process measures every few minutes; a clock that is wrong by more than a second is alerted.
"""

import logging
import socket
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import Error, connection
from django.db.models.functions import Now

from shop.core import alerts
from shop.core.models import ClockReading

log = logging.getLogger(__name__)

MEASURE_SECONDS = 300.0  # between two measurements of a process
MAX_SKEW_SECONDS = 1.0  # beyond that, ops are alerted
MAX_ROUND_TRIP_SECONDS = 0.5  # a slower answer says too little about the moment at which it was given
RECENT = timedelta(hours=1)  # older readings are of machines that are gone


@dataclass
class Measurement:
    """When this process last measured, as a monotonic time."""

    at: float | None = None


last = Measurement()


def measure_if_due() -> None:
    """Measure this machine's clock, unless this process has lately. A failure is logged and does no harm."""
    if last.at is not None and time.monotonic() - last.at < MEASURE_SECONDS:
        return
    try:
        skew = measure(machine=socket.gethostname())
    except Error as error:
        log.warning("Can't compare this machine's clock with the database's: %s", error)
        skew = None
    if skew is not None:
        last.at = time.monotonic()


def measure(*, machine: str) -> float | None:
    """Compare the clocks, keep the reading, raise or resolve the alert; return the seconds this one is ahead.

    None means that the database answered too slowly to say.
    """
    connection.ensure_connection()  # which takes much longer than a question
    began = time.monotonic()
    ours = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs: datetime = cursor.fetchone()[0]
    round_trip = time.monotonic() - began
    if round_trip > MAX_ROUND_TRIP_SECONDS:
        return None
    skew = (ours - theirs).total_seconds() + round_trip / 2
    record(machine=machine, skew_seconds=skew)
    return skew


def record(*, machine: str, skew_seconds: float) -> None:
    """Keep what was measured, and raise or resolve the machine's alert."""
    reading = {"skew_seconds": skew_seconds, "read_at": Now()}
    ClockReading.objects.update_or_create(machine=machine, defaults=reading)
    if not is_wrong(skew_seconds):
        alerts.resolve(subject=alert_subject(machine))
        return
    alerts.raise_alert(
        source="clocks",
        subject=alert_subject(machine),
        message=(
            f"The clock of {machine} is {describe(skew_seconds)} the database's. Times on pages and the ends of "
            "passes are wrong by as much. Check that machine's time synchronisation (chronyc tracking)."
        ),
    )


def recent() -> list["Reading"]:
    """Return the readings of the last hour, by machine."""
    rows = ClockReading.objects.filter(read_at__gt=Now() - RECENT)
    return [Reading(machine=row.machine, skew_seconds=row.skew_seconds) for row in rows]


@dataclass(frozen=True)
class Reading:
    """A machine's clock as it was last measured."""

    machine: str
    skew_seconds: float

    @property
    def is_wrong(self) -> bool:
        return is_wrong(self.skew_seconds)

    @property
    def text(self) -> str:
        if self.is_wrong:
            return f"{describe(self.skew_seconds)} the database's"
        return "right"


def is_wrong(skew_seconds: float) -> bool:
    """Whether a clock is so far from the database's that a person must see to it."""
    return abs(skew_seconds) > MAX_SKEW_SECONDS


def describe(skew_seconds: float) -> str:
    """Return a skew in words, such as "8.0 s ahead of"."""
    if skew_seconds < 0:
        return f"{-skew_seconds:.1f} s behind"
    return f"{skew_seconds:.1f} s ahead of"


def alert_subject(machine: str) -> str:
    return f"clock:{machine}"
