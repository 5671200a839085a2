"""{% when moment %} and {{ span|spelled }}: times for people. Scripts turn the first into the reader's own zone."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

register = template.Library()


@register.simple_tag
def when(moment: datetime, form: str = "day") -> SafeString:
    """Write a moment in the shop's zone. `form`: "day" (weekday, date and time), "time", or "date"."""
    local = moment.astimezone(ZoneInfo(settings.SHOP_TIME_ZONE))
    pattern = {"day": "l j F, H:i", "time": "H:i", "date": "j F Y"}[form]
    zone = "" if form == "date" else f" {local.tzname()}"
    text = date_format(local, pattern) + zone
    return format_html('<time datetime="{}" data-when="{}">{}</time>', moment.isoformat(), form, text)


@register.filter
def spelled(span: timedelta) -> str:
    """Write a span: "41 s", "3 min 41 s", "2 h 5 min", "3 d 4 h"; two units are enough."""
    seconds = max(0, round(span.total_seconds()))
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return _("%(d)s d %(h)s h") % {"d": days, "h": hours}
    if hours:
        return _("%(h)s h %(m)s min") % {"h": hours, "m": minutes}
    if minutes:
        return _("%(m)s min %(s)s s") % {"m": minutes, "s": seconds % 60}
    return _("%(s)s s") % {"s": seconds}
