"""The pace of a line: how many places are called per second, as measured over the last half minute."""

from collections import deque
from dataclasses import dataclass, field

from drops.waitingroom.gatekeeper import decision
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot

WINDOW_SECONDS = 30.0
MIN_SECONDS = 10.0  # a line moves in steps, so a shorter time says nothing about its pace


@dataclass
class PaceMeter:
    """The leader's memory of a drop's cursor. A new leader measures again."""

    readings: deque[tuple[float, int]] = field(default_factory=deque)  # (unix second, cursor)

    def restart(self) -> None:
        """Forget what was measured: the line was interrupted."""
        self.readings.clear()

    def read(self, *, at: float, cursor: int) -> float | None:
        """Record the cursor at unix second `at`. Return the places called per second, None if it's too early.

        The first reading comes after the first call, which fills all the room at once and is no pace. The
        line stands still if nobody was called in the whole window.
        """
        self.readings.append((at, cursor))
        while len(self.readings) > 1 and at - self.readings[1][0] >= WINDOW_SECONDS:
            self.readings.popleft()
        first_at, first_cursor = self.readings[0]
        seconds, called = at - first_at, cursor - first_cursor
        required = MIN_SECONDS
        if not called:
            required = WINDOW_SECONDS
        if seconds < required:
            return None
        return round(called / seconds, 3)


def measure(snapshot: DropSnapshot, meter: PaceMeter) -> float | None:
    """Return the pace after this tick's decision. None, too, while nobody may enter or nobody waits."""
    checkpoint = snapshot.checkpoint
    if not decision.is_admitting(snapshot) or checkpoint.cursor >= checkpoint.joined:
        meter.restart()
        return None
    return meter.read(at=snapshot.now.timestamp(), cursor=checkpoint.cursor)
