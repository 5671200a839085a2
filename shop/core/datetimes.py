"""Times as the desk types and shows them: in the shop's zone, besides in UTC and from now ("in 3 days").

The desk runs every page with the shop's zone as Django's current one (dropsite.backoffice.site).
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def read(typed: datetime, *, zone: ZoneInfo) -> datetime:
    """Give the moment that a typed local time means. Raises ValidationError if that is none, or two."""
    first, second = (typed.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == second.utcoffset():
        return first
    # PEP 495: fold=0 reads with the offset before the change: in a gap the smaller one, in a repeated hour the larger.
    exists = bool(first.utcoffset() > second.utcoffset())  # type: ignore[operator]
    sentence = (
        _("%(typed)s comes twice in %(zone)s, when the clocks go back: as %(first)s and as %(second)s. ")
        if exists
        else _("%(typed)s doesn't exist in %(zone)s, when the clocks go forward: it may mean %(first)s or %(second)s. ")
    ) + _("Choose a time outside that hour.")
    readings = sorted((first.astimezone(UTC), second.astimezone(UTC)))
    raise ValidationError(
        sentence,
        code="twice" if exists else "never",
        params={
            "typed": date_format(typed, "j M Y H:i"),
            "zone": zone.key,
            "first": reading(readings[0], zone),
            "second": reading(readings[1], zone),
        },
    )


def reading(moment: datetime, zone: ZoneInfo) -> str:
    """Write one moment with its local name and in UTC: "02:30 CEST (00:30 UTC)"."""
    local = moment.astimezone(zone)
    return f"{local:%H:%M} {local.tzname()} ({moment:%H:%M} UTC)"


def from_now(moment: datetime, *, now: datetime) -> str:
    """Say how far off a moment is: "in 3 days", "in 4 minutes 12 seconds", "2 hours ago"."""
    span = distance(abs(moment - now))
    return (_("in %(span)s") if moment > now else _("%(span)s ago")) % {"span": span}


def distance(length: timedelta) -> str:
    """Write a length of time as exactly as it matters: seconds below an hour, else the largest unit or two."""
    if length >= timedelta(hours=1):
        start = datetime(2001, 1, 1, tzinfo=UTC)
        return timesince(start, start + length, depth=1 if length >= timedelta(days=2) else 2)
    minutes, seconds = divmod(int(length.total_seconds()), 60)
    words = [ngettext("%(n)s minute", "%(n)s minutes", minutes) % {"n": minutes}] if minutes else []
    if seconds or not minutes:
        words.append(ngettext("%(n)s second", "%(n)s seconds", seconds) % {"n": seconds})
    return " ".join(words)


def told(moment: datetime | None, *, now: datetime) -> str:
    """Write a stored time for the desk: local, in UTC, from now. HTML; a dash for none."""
    if moment is None:
        return "–"
    local = timezone.localtime(moment)
    return format_html(
        '<span class="desk-time">{} {} <span class="quiet">= {} UTC · {}</span></span>',
        date_format(local, "D j M Y, H:i:s" if local.second else "D j M Y, H:i"),
        local.tzname(),
        moment.astimezone(UTC).strftime("%H:%M" if moment.astimezone(UTC).date() == local.date() else "%-d %b %H:%M"),
        from_now(moment, now=now),
    )


class LocalTimeField(forms.DateTimeField):
    """A moment typed as local time in the shop's zone."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M:%S")
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        if isinstance(value, str) and value.strip():
            # Not Django's own reading: it can't say what the two readings of a doubtful time are.
            try:
                typed = datetime.fromisoformat(value.strip())
            except ValueError as error:
                raise ValidationError(_("Write the time as 2026-12-24 09:00.")) from error
            return typed if typed.tzinfo else read(typed, zone=ZoneInfo(timezone.get_current_timezone_name()))
        return None if not value else super().to_python(value)
