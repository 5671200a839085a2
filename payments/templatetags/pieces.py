"""{{ numbers|numbered:500 }}: the numbers of pieces in templates."""

from collections.abc import Sequence

from django import template

from payments import lines

register = template.Library()


@register.filter
def numbered(numbers: Sequence[int], of: int) -> str:
    """Write [37] of 500 as "No. 37 of 500", [37, 41] as "No. 37 and No. 41 of 500"."""
    return lines.numbered(numbers=numbers, of=of)
