"""How plans write figures in their sentences."""


def whole(number: float) -> str:
    """Return a figure without decimals: 12,000."""
    return f"{number:,.0f}"


def short(number: float) -> str:
    """Return a figure with two or three significant digits, a large one with all: 1,234 · 12.3 · 0.045."""
    if number == 0 or abs(number) >= 100:
        return f"{number:,.0f}"
    if abs(number) >= 10:
        return f"{number:,.1f}".removesuffix(".0")
    return f"{number:.2g}"
