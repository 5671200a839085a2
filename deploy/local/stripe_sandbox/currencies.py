"""What Stripe charges at least, in each currency's minor unit (https://docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""

from . import errors

LEAST = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250, "eur": 50,
    "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200, "nok": 300, "nzd": 50,
    "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
ZERO_DECIMAL = {"jpy"}
SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}
MOST = 99_999_999


def spell(amount: int, currency: str) -> str:
    """`$0.50 usd`, as in Stripe's sentences."""
    number = str(amount) if currency in ZERO_DECIMAL else f"{amount // 100}.{amount % 100:02d}"
    return f"{SIGNS.get(currency, '')}{number} {currency}"


def check(*, amount: int, currency: str) -> None:
    """Raises ApiError for what Stripe would not charge."""
    if currency not in LEAST:
        raise errors.invalid(
            f"Invalid currency: {currency}. The sandbox supports these currencies: {', '.join(LEAST)}",
            param="currency",
        )
    if amount < 1:
        raise errors.invalid(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    if amount < LEAST[currency]:
        raise errors.invalid(
            f"Amount must be at least {spell(LEAST[currency], currency)}", code="amount_too_small", param="amount"
        )
    if amount > MOST:
        raise errors.invalid(
            f"Amount must be no more than {spell(MOST, currency)}", code="amount_too_large", param="amount"
        )
