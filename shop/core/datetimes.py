"""Times as the admin reads and shows them: in the shop's zone, with UTC and the distance from now beside it.

The admin runs every page with the shop's zone as Django's current one (dropsite.backoffice.site).
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.template.defaultfilters import pluralize
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.timesince import timesince


def parse_local_time(typed: datetime, *, zone: ZoneInfo) -> datetime:
    """Return the moment that a typed local time means. Raises ValidationError if there is none, or two."""
    first, second = (typed.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    first_offset, second_offset = first.utcoffset() or timedelta(), second.utcoffset() or timedelta()
    if first_offset == second_offset:
        return first
    # PEP 495: fold=0 has the offset from before the change. It is the larger one when clocks go back and an
    # hour comes twice, the smaller one when they go forward and an hour is skipped.
    comes_twice = first_offset > second_offset
    early, late = sorted((first.astimezone(UTC), second.astimezone(UTC)))
    time = f"{date_format(typed, 'j M Y H:i')}"
    first_reading, second_reading = format_reading(early, zone), format_reading(late, zone)
    if comes_twice:
        fault = f"{time} comes twice in {zone.key}, when the clocks go back"
        readings = f"as {first_reading} and as {second_reading}"
    else:
        fault = f"{time} doesn't exist in {zone.key}, when the clocks go forward"
        readings = f"it could mean {first_reading} or {second_reading}"
    raise ValidationError(f"{fault}: {readings}. Choose a time outside that hour.")


def format_reading(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment with its local name and in UTC: "02:30 CEST (00:30 UTC)"."""
    local = moment.astimezone(zone)
    return f"{local:%H:%M} {local.tzname()} ({moment:%H:%M} UTC)"


def format_from_now(moment: datetime, *, now: datetime) -> str:
    """Return the distance of a moment from now: "in 3 days", "in 4 minutes 12 seconds", "2 hours ago"."""
    duration = format_duration(abs(moment - now))
    if moment > now:
        return f"in {duration}"
    return f"{duration} ago"


def format_duration(duration: timedelta) -> str:
    """Return a duration as text: with seconds below an hour, otherwise in the largest one or two units."""
    start = datetime(2001, 1, 1, tzinfo=UTC)
    if duration >= timedelta(days=2):
        return timesince(start, start + duration, depth=1)
    if duration >= timedelta(hours=1):
        return timesince(start, start + duration, depth=2)
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    words = []
    if minutes:
        words.append(f"{minutes} minute{pluralize(minutes)}")
    if seconds or not minutes:
        words.append(f"{seconds} second{pluralize(seconds)}")
    return " ".join(words)


def format_time(moment: datetime | None, *, now: datetime) -> str:
    """Return a stored time as HTML for the admin: local, in UTC, and from now; a dash for None."""
    if moment is None:
        return "–"
    local, utc = timezone.localtime(moment), moment.astimezone(UTC)
    local_format, utc_format = "D j M Y, H:i", "%H:%M"
    if local.second:
        local_format = "D j M Y, H:i:s"
    if utc.date() != local.date():
        utc_format = "%-d %b %H:%M"
    return format_html(
        '<span class="backoffice-time">{} {} <span class="quiet">= {} UTC · {}</span></span>',
        date_format(local, local_format),
        local.tzname(),
        utc.strftime(utc_format),
        format_from_now(moment, now=now),
    )


class LocalTimeField(forms.DateTimeField):
    """A moment typed as local time in the shop's zone."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M:%S")
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> datetime | None:
        if not isinstance(value, str) or not value.strip():
            return super().to_python(value) if value else None
        # Django's own parsing can't name the two readings of an ambiguous time.
        try:
            typed = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise ValidationError("Write the time as 2026-12-24 09:00.") from error
        if typed.tzinfo:
            return typed
        return parse_local_time(typed, zone=ZoneInfo(timezone.get_current_timezone_name()))
