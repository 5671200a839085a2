"""The phase of a drop, derived from its rows and the time.

draft ─announce─▶ announced ─clock─▶ lobby ─clock─▶ opening ─seal─▶ live ◀─pause/resume─▶ paused
                                                                     └─▶ sold out      no unit free or held
closed: by hand, or by its closing time. A drop that sold out stays sold out, which is what people want to
know about it. cancelled: by hand; it ends any phase, since what was sold doesn't arrive.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import models

from drops.models import Drop
from drops.waitingroom.protocol import status


class Phase(models.TextChoices):
    """The phases of a drop, from draft to end. Derived, never stored."""

    DRAFT = "draft"
    ANNOUNCED = "announced"
    LOBBY = "lobby"
    OPENING = "opening"
    LIVE = "live"
    PAUSED = "paused"
    SOLD_OUT = "sold out"
    CLOSED = "closed"
    CANCELLED = "cancelled"


UPCOMING_PHASES = (Phase.ANNOUNCED, Phase.LOBBY, Phase.OPENING)
RUNNING_PHASES = (Phase.LOBBY, Phase.OPENING, Phase.LIVE, Phase.PAUSED)
SELLING_PHASES = (Phase.LIVE, Phase.PAUSED)
ENDED_PHASES = tuple(Phase(name) for name in status.ENDED_PHASES)
# The drop of the moment is in the first of these phases that any drop is in.
MOMENT_PHASES = (Phase.LIVE, Phase.PAUSED, Phase.OPENING, Phase.LOBBY, Phase.ANNOUNCED)


def phase(*, drop: Drop, now: datetime) -> Phase:
    """Return the drop's phase at `now`. Takes no query for a drop read by with_state(), else two at most."""
    if drop.cancelled_at:
        return Phase.CANCELLED
    if drop.announced_at is None:
        return Phase.DRAFT
    if drop.sealed_at and not drop.anything_left:
        return Phase.SOLD_OUT
    if drop.closed_at or (drop.closes_at and drop.closes_at <= now):
        return Phase.CLOSED
    if drop.sealed_at:
        return Phase.PAUSED if drop.paused else Phase.LIVE
    return _phase_before_seal(drop, now)


def _phase_before_seal(drop: Drop, now: datetime) -> Phase:
    if drop.opens_at and drop.opens_at <= now:
        return Phase.OPENING
    if drop.lobby_opens_at and drop.lobby_opens_at <= now:
        return Phase.LOBBY
    return Phase.ANNOUNCED


def next_change(*, drop: Drop, now: datetime) -> datetime | None:
    """Return when the clock alone changes the phase next; None if only a seal, a sale or a person can."""
    if drop.announced_at is None or drop.cancelled_at or drop.closed_at:
        return None
    times = [drop.closes_at]
    if drop.sealed_at is None:
        times += [drop.lobby_opens_at, drop.opens_at]
    return min((at for at in times if at and at > now), default=None)


def drop_of_the_moment(*, drops: Sequence[Drop], now: datetime) -> Drop | None:
    """Return the first of the drops that is in the first of MOMENT_PHASES that any is in; None if none is."""
    phases = [(drop, phase(drop=drop, now=now)) for drop in drops]
    for wanted in MOMENT_PHASES:
        for drop, current in phases:
            if current == wanted:
                return drop
    return None
