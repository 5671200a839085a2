"""Amounts of money: integers in the currency's smallest unit, as Stripe counts it, and their text for people.

The exponents are Stripe's: docs.stripe.com/currencies, "Zero-decimal currencies" and "Three-decimal
currencies". ISK and UGX have no decimals in shops but two at Stripe, so they are not in the table.
"""

from decimal import Decimal

DECIMALS = 2  # of every currency that isn't named below
EXPONENTS = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"),
    0,
) | dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 3)
SYMBOLS = {
    "EUR": "€",
    "USD": "$",
    "GBP": "£",
    "JPY": "¥",
    "KRW": "₩",
    "INR": "₹",
    "CHF": "CHF\N{NO-BREAK SPACE}",
}


def exponent(*, currency: str) -> int:
    """Return how many decimal places the currency has: 2 for EUR, 0 for JPY, 3 for KWD."""
    return EXPONENTS.get(currency.upper(), DECIMALS)


def to_decimal(*, amount: int, currency: str) -> Decimal:
    """Return 9650 EUR as Decimal("96.50"), with all its decimal places, for machines that read prices."""
    return Decimal(amount).scaleb(-exponent(currency=currency))


def format_amount(*, amount: int, currency: str) -> str:
    """Return an amount for people: "€96", "€96.50", "¥14,000". A round amount has no decimal places."""
    code = currency.upper()
    value = to_decimal(amount=abs(amount), currency=code)
    decimals = 0
    if value % 1:
        decimals = exponent(currency=code)
    text = f"{SYMBOLS.get(code, code + chr(0xA0))}{value:,.{decimals}f}"
    if amount < 0:
        return f"−{text}"
    return text
