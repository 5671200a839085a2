"""Times as shoppers read them: in the shop's zone, with its name; scripts put the reader's own beside it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from shop.core.zones import zone_name

PATTERNS = {"day": "l j F, H:i", "time": "H:i", "date": "j F Y"}


def time_of_day(moment: datetime) -> str:
    """Return a time of day in the shop's zone: "18:09 CET"."""
    local = moment.astimezone(ZoneInfo(settings.SHOP_TIME_ZONE))
    return f"{date_format(local, 'H:i')} {zone_name(local)}"


def when(moment: datetime, form: str) -> SafeString:
    """Return a moment as an element that scripts can localise (clock.js).

    `form`: "day" (weekday, date and time), "time", or "date", which stays the shop's for everybody.
    """
    local = moment.astimezone(ZoneInfo(settings.SHOP_TIME_ZONE))
    text = date_format(local, PATTERNS[form])
    if form == "date":
        return format_html('<time datetime="{}">{}</time>', moment.isoformat(timespec="seconds"), text)
    offset = local.utcoffset() or timedelta()
    return format_html(
        '<time datetime="{}" data-when="{}" data-zone="{}" data-offset="{}" data-time="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        form,
        settings.SHOP_TIME_ZONE,
        int(offset.total_seconds()) // 60,
        time_of_day(moment),
        f"{text} {zone_name(local)}",
    )
