"""{{ numbers|numbered:500 }}: the numbers of pieces in templates."""

from collections.abc import Sequence

from django import template

from payments.orders import line_items

register = template.Library()


@register.filter
def numbered(numbers: Sequence[int], of: int) -> str:
    """Write [37] of 500 as "No. 37 of 500", [37, 41] as "No. 37 and No. 41 of 500"."""
    return line_items.numbered(numbers=numbers, of=of)
