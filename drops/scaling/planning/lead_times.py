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
        return least, _("as set; nothing was moved yet")
    slow = last[ceil(0.95 * len(last)) - 1]
    learned = ceil(slow * MARGIN)
    if learned <= least:
        return least, _("as set; the last %(n)s moves took at most %(slow)s s") % {"n": len(last), "slow": ceil(slow)}
    return learned, _("1.5 × %(slow)s s, in which 95 %% of the last %(n)s moves were done") % {
        "n": len(last),
        "slow": ceil(slow),
    }
