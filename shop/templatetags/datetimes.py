"""Times in templates.

{% when moment "time" %}       for shoppers: in the shop's zone; scripts put the reader's own beside it
{{ duration|short_duration }}  for shoppers: "3 min 41 s"
{% format_time moment %}       for the admin: local, in UTC, and from now
"""

from datetime import datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from shop.core import datetimes, shop_time

register = template.Library()


@register.simple_tag
def when(moment: datetime, form: str = "day") -> SafeString:
    """Return a moment in the shop's zone. `form`: "day" (weekday, date and time), "time", or "date"."""
    return shop_time.when(moment, form)


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
