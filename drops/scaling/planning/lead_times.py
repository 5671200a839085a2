"""Lead times: how long a target takes to be READY, learned from its last moves, never below what is set. Pure."""

from collections.abc import Sequence
from math import ceil

from django.utils.translation import gettext as _

LAST = 20  # moves
MARGIN = 1.5


def lead(*, seconds: Sequence[float], least: int) -> tuple[int, str]:
    """Give the seconds to plan with, and why: 1.5 × the 95th percentile of the last moves (the newest first)."""
    last = sorted(seconds[:LAST])
    if not last:
        return least, "as set; nothing was moved yet"
    slow = last[ceil(0.95 * len(last)) - 1]
    learned = ceil(slow * MARGIN)
    if learned <= least:
        return least, f"as set; the last {len(last)} moves took at most {ceil(slow)} s"
    return learned, f"1.5 × {ceil(slow)} s, in which 95 % of the last {len(last)} moves were done"
