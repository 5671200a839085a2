"""Times in templates.

{% when moment "time" %}       for shoppers: in the shop's zone; scripts turn it into the reader's own
{{ duration|short_duration }}  for shoppers: "3 min 41 s"
{% format_time moment %}       for the admin: local, in UTC, and from now
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from shop.core import datetimes

register = template.Library()

PATTERNS = {"day": "l j F, H:i", "time": "H:i", "date": "j F Y"}


@register.simple_tag
def when(moment: datetime, form: str = "day") -> SafeString:
    """Return a moment in the shop's zone. `form`: "day" (weekday, date and time), "time", or "date"."""
    local = moment.astimezone(ZoneInfo(settings.SHOP_TIME_ZONE))
    text = date_format(local, PATTERNS[form])
    if form != "date":
        text += f" {local.tzname()}"
    return format_html('<time datetime="{}" data-when="{}">{}</time>', moment.isoformat(), form, text)


@register.filter
def short_duration(duration: timedelta) -> str:
    """Return a duration in at most two units: "41 s", "3 min 41 s", "2 h 5 min", "3 d 4 h"."""
    seconds = max(0, round(duration.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return _("%(d)s d %(h)s h") % {"d": days, "h": hours}
    if hours:
        return _("%(h)s h %(m)s min") % {"h": hours, "m": minutes}
    if minutes:
        return _("%(m)s min %(s)s s") % {"m": minutes, "s": seconds % 60}
    return _("%(s)s s") % {"s": seconds}


@register.simple_tag
def format_time(moment: datetime | None) -> str:
    """Return a time as HTML for the admin; a dash for None."""
    return datetimes.format_time(moment, now=timezone.now())
