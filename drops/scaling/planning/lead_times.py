"""Lead times: how long a target takes to become ready, learned from its last moves, never below what ops set.

Pure.
"""

from collections.abc import Sequence
from math import ceil

MAX_MOVES = 20  # that are learned from
MARGIN_FACTOR = 1.5


def learned_lead_time(*, seconds: Sequence[float], minimum: int) -> tuple[int, str]:
    """Return the seconds to plan with, and why: 1.5 × the 95th percentile of the last moves, newest first."""
    moves = sorted(seconds[:MAX_MOVES])
    if not moves:
        return minimum, "as set; no move was measured yet"
    slow_seconds = moves[ceil(0.95 * len(moves)) - 1]
    learned, slow = ceil(slow_seconds * MARGIN_FACTOR), ceil(slow_seconds)
    if learned <= minimum:
        return minimum, f"as set; the last {len(moves)} moves took at most {slow} s"
    return learned, f"{MARGIN_FACTOR} × {slow} s, within which 95 % of the last {len(moves)} moves were done"
