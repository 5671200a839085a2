"""Times on the gate's pages: the shop's and UTC, as without JavaScript the shopper's own zone is unknown."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from drops.waitingroom.gate import texts
from drops.waitingroom.gate.language import gettext as _
from shop.core.zones import zone_name


class ShopZone:
    """The shop's time zone: UTC at first. One process serves one shop."""

    def __init__(self) -> None:
        self.zone: tzinfo = UTC

    def activate(self, zone: ZoneInfo) -> None:
        """Show times in the zone from now on."""
        self.zone = zone


shop_zone = ShopZone()


def format_time(at: float) -> str:
    """Return a unix second as text: "19:00 CET, 2 December 2026 (18:00 UTC)"."""
    utc = datetime.fromtimestamp(at, UTC)
    local = utc.astimezone(shop_zone.zone)
    text = _format_day(local)
    if local.utcoffset() == utc.utcoffset():
        return text
    in_utc = _format_day(utc)
    if local.date() == utc.date():
        in_utc = f"{_format_clock(utc)} UTC"
    return f"{text} ({in_utc})"


def _format_clock(moment: datetime) -> str:
    if moment.second:
        return f"{moment:%H:%M:%S}"
    return f"{moment:%H:%M}"


def _format_day(moment: datetime) -> str:
    return _(texts.MOMENT).format(
        time=_format_clock(moment),
        zone=zone_name(moment),
        day=moment.day,
        month=_(texts.MONTHS[moment.month - 1]),
        year=moment.year,
    )
