"""The tax included in a price, at one flat rate."""

from decimal import ROUND_HALF_UP, Decimal


def contained(*, gross: int, percent: Decimal) -> int:
    """Return the tax included in a gross amount, rounded half up: 1900 of 11900 at 19 %."""
    tax = Decimal(gross) * percent / (100 + percent)
    return int(tax.quantize(Decimal(1), rounding=ROUND_HALF_UP))
