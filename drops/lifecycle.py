"""The phase of a drop, derived from its rows and the time.

draft ─announce─▶ announced ─clock─▶ lobby ─clock─▶ opening ─seal─▶ live ◀─pause/resume─▶ paused
                                                                     └─▶ sold out      no unit free or held
closed: by hand, or its closing time has passed; cancelled: by hand. Both end whatever phase there was; but a drop that
sold out stays sold out, that being what people want to know of it.
"""

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from drops.models import Drop


class Phase(models.TextChoices):
    """Where a drop stands. Derived, never stored."""

    DRAFT = "draft", _("draft")
    ANNOUNCED = "announced", _("announced")
    LOBBY = "lobby", _("lobby")
    OPENING = "opening", _("opening")
    LIVE = "live", _("live")
    PAUSED = "paused", _("paused")
    SOLD_OUT = "sold out", _("sold out")
    CLOSED = "closed", _("closed")
    CANCELLED = "cancelled", _("cancelled")


OVER = (Phase.SOLD_OUT, Phase.CLOSED, Phase.CANCELLED)
COMING = (Phase.ANNOUNCED, Phase.LOBBY, Phase.OPENING)


def phase(*, drop: Drop, now: datetime) -> Phase:
    """Tell the drop's phase at `now`. Pure for drops read with Drop.objects.with_state(); others ask at most twice."""
    if drop.announced_at is None:
        return Phase.CANCELLED if drop.cancelled_at else Phase.DRAFT
    if drop.cancelled_at:
        return Phase.CANCELLED
    if drop.sealed_at and not drop.anything_left:
        return Phase.SOLD_OUT
    if drop.closed_at or (drop.closes_at and drop.closes_at <= now):
        return Phase.CLOSED
    if drop.sealed_at:
        return Phase.PAUSED if drop.paused else Phase.LIVE
    return _before_the_seal(drop, now)


def _before_the_seal(drop: Drop, now: datetime) -> Phase:
    if drop.opens_at and drop.opens_at <= now:
        return Phase.OPENING
    if drop.lobby_opens_at and drop.lobby_opens_at <= now:
        return Phase.LOBBY
    return Phase.ANNOUNCED


def next_change(*, drop: Drop, now: datetime) -> datetime | None:
    """Tell when the clock alone will change the phase next; None if only an act can (a seal, a pause, a sale)."""
    if drop.announced_at is None or drop.cancelled_at or drop.closed_at:
        return None
    times = [drop.closes_at] if drop.sealed_at else [drop.lobby_opens_at, drop.opens_at, drop.closes_at]
    return min((at for at in times if at and at > now), default=None)
