"""{% told moment %}: a time as the desk shows it."""

from datetime import datetime

from django import template
from django.utils import timezone

from shop.core import datetimes

register = template.Library()


@register.simple_tag
def told(moment: datetime | None) -> str:
    """Write a time locally, in UTC and from now; a dash for none."""
    return datetimes.told(moment, now=timezone.now())
