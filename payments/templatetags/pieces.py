"""{{ numbers|numbered:500 }}: the numbers of pieces in templates."""

from collections.abc import Sequence

from django import template

from payments.orders import line_items

register = template.Library()


@register.filter
def numbered(numbers: Sequence[int], of: int) -> str:
    """Return "No. 37 of 500" for [37] of 500, "No. 37 and No. 41 of 500" for [37, 41]."""
    return line_items.numbered(numbers=numbers, of=of)
