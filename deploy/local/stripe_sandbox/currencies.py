"""Stripe's minimum and maximum charge amounts, in each currency's minor unit.

https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts
"""

from . import errors

MIN_CHARGE_AMOUNTS = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
MAX_CHARGE_AMOUNT = 99_999_999
ZERO_DECIMAL_CURRENCIES = {"jpy"}
SYMBOLS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}


def format_amount(amount: int, currency: str) -> str:
    """Return `$0.50 usd`, as Stripe's messages write it."""
    symbol = SYMBOLS.get(currency, "")
    if currency in ZERO_DECIMAL_CURRENCIES:
        return f"{symbol}{amount} {currency}"
    return f"{symbol}{amount // 100}.{amount % 100:02d} {currency}"


def validate_amount(*, amount: int, currency: str) -> None:
    """Raise ApiError for an amount that Stripe would not charge, or an unknown currency."""
    if currency not in MIN_CHARGE_AMOUNTS:
        supported = ", ".join(MIN_CHARGE_AMOUNTS)
        raise errors.invalid_request(
            f"Invalid currency: {currency}. The sandbox supports these currencies: {supported}",
            param="currency",
        )
    if amount < 1:
        raise errors.invalid_request(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    minimum = MIN_CHARGE_AMOUNTS[currency]
    if amount < minimum:
        raise errors.invalid_request(
            f"Amount must be at least {format_amount(minimum, currency)}",
            code="amount_too_small",
            param="amount",
        )
    if amount > MAX_CHARGE_AMOUNT:
        raise errors.invalid_request(
            f"Amount must be no more than {format_amount(MAX_CHARGE_AMOUNT, currency)}",
            code="amount_too_large",
            param="amount",
        )
