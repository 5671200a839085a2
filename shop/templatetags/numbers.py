"""{{ 1284417|grouped }}: 1,284,417, with the digits grouped as the reader's language does it."""

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def grouped(number: int) -> str:
    """Group the digits of a whole number by thousands."""
    return number_format(number, use_l10n=True, force_grouping=True)
