"""Stripe's test cards: what each of them does, and its error.

No card number is stored outside this module.
"""

import hashlib
import time
from typing import NamedTuple

from . import errors


class Decline(NamedTuple):
    code: str
    decline_code: str
    message: str
    advice_code: str = "do_not_try_again"


class Card(NamedTuple):
    name: str
    """The id of Stripe's test payment method, without its prefix `pm_card_`."""
    number: str
    decline: Decline | None = None
    requires_authentication: bool = False
    """The bank requires 3-D Secure. `decline` is then the result after a successful authentication."""
    refunds_wait: bool = False
    """A refund is pending at first."""
    redirects: bool = False
    """The bank's page can't be shown in the shop's page: the browser has to go there and comes back."""
    brand: str = "visa"
    funding: str = "credit"

    @property
    def last4(self) -> str:
        return self.number[-4:]


DECLINED_MESSAGE = "Your card was declined."
GENERIC_DECLINE = Decline("card_declined", "generic_decline", DECLINED_MESSAGE, "try_again_later")
INSUFFICIENT_FUNDS = Decline(
    "card_declined", "insufficient_funds", "Your card has insufficient funds.", "try_again_later"
)
LOST_CARD = Decline("card_declined", "lost_card", DECLINED_MESSAGE)
STOLEN_CARD = Decline("card_declined", "stolen_card", DECLINED_MESSAGE)
VELOCITY_EXCEEDED = Decline("card_declined", "card_velocity_exceeded", DECLINED_MESSAGE, "try_again_later")
EXPIRED_CARD = Decline("expired_card", "expired_card", "Your card has expired.")
INCORRECT_CVC = Decline(
    "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "confirm_card_data"
)
PROCESSING_ERROR = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
    "try_again_later",
)
LIVE_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test (live) card. "
    "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
)
AUTHENTICATION_REQUIRED = Decline(
    "authentication_required",
    "authentication_required",
    "Your card was declined. This transaction requires authentication.",
)

CARDS = (
    Card("visa", "4242424242424242"),
    Card("visa_debit", "4000056655665556", funding="debit"),
    Card("visa_credit", "4111111111111111"),
    Card("mastercard", "5555555555554444", brand="mastercard"),
    Card("mastercard_2_series", "2223003122003222", brand="mastercard"),
    Card("mastercard_debit", "5200828282828210", brand="mastercard", funding="debit"),
    Card("mastercard_prepaid", "5105105105105100", brand="mastercard", funding="prepaid"),
    Card("amex", "378282246310005", brand="amex"),
    Card("amex_2", "371449635398431", brand="amex"),
    Card("discover", "6011111111111117", brand="discover"),
    Card("diners", "3056930009020004", brand="diners"),
    Card("jcb", "3566002020360505", brand="jcb"),
    Card("unionpay", "6200000000000005", brand="unionpay"),
    Card("visa_chargeDeclined", "4000000000000002", GENERIC_DECLINE),
    Card("visa_chargeDeclinedInsufficientFunds", "4000000000009995", INSUFFICIENT_FUNDS),
    Card("visa_chargeDeclinedLostCard", "4000000000009987", LOST_CARD),
    Card("visa_chargeDeclinedStolenCard", "4000000000009979", STOLEN_CARD),
    Card("visa_chargeDeclinedVelocityLimitExceeded", "4000000000006975", VELOCITY_EXCEEDED),
    Card("chargeCustomerFail", "4000000000000341", GENERIC_DECLINE),
    Card("chargeDeclinedExpiredCard", "4000000000000069", EXPIRED_CARD),
    Card("chargeDeclinedIncorrectCvc", "4000000000000127", INCORRECT_CVC),
    Card("chargeDeclinedProcessingError", "4000000000000119", PROCESSING_ERROR),
    Card("authenticationRequired", "4000002500003155", requires_authentication=True),
    Card("authenticationRequiredOnSetup", "4000002760003184", requires_authentication=True),
    Card("threeDSecure2Required", "4000000000003220", requires_authentication=True),
    Card("pendingRefund", "4000000000007726", refunds_wait=True),
    Card("refundFail", "4000000000005126"),
    Card("threeDSecureRequired", "4000000000003063", requires_authentication=True, redirects=True),
    Card(
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        "4000008260003178",
        INSUFFICIENT_FUNDS,
        requires_authentication=True,
    ),
)
UNKNOWN_CARD = Card("live", "", LIVE_CARD)
"""Stands for every number that isn't a test card's."""

BY_NUMBER = {card.number: card for card in CARDS}
BY_NAME = {card.name: card for card in (*CARDS, UNKNOWN_CARD)}
# Stripe accepts the names of the declining cards both with and without the brand.
BY_NAME |= {
    name.removeprefix("visa_"): card for name, card in list(BY_NAME.items()) if "chargeDeclined" in name
}
BY_NAME |= {f"visa_{name}": BY_NAME[name] for name in list(BY_NAME) if name.startswith("chargeDeclined")}
TEST_PAYMENT_METHOD_PREFIX = "pm_card_"


def validate(*, number: str, exp_month: int, exp_year: int, cvc: str | None) -> Card:
    """Return the test card with this number.

    Raises ApiError for details that no card can have, as Stripe does.
    """
    digits = number.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19):
        raise errors.card_error(
            code="invalid_number",
            message="The card number is not a valid credit card number.",
            param="number",
            saved=False,
        )
    if _luhn_remainder(digits):
        raise errors.card_error(
            code="incorrect_number", message="Your card number is incorrect.", param="number", saved=False
        )
    _validate_expiry(exp_month, exp_year)
    card = BY_NUMBER.get(digits, UNKNOWN_CARD)
    cvc_length = 3
    if card.brand == "amex":
        cvc_length = 4
    if cvc is not None and not (cvc.isascii() and cvc.isdigit() and len(cvc) == cvc_length):
        raise errors.card_error(
            code="invalid_cvc", message="Your card's security code is invalid.", param="cvc", saved=False
        )
    return card


def four_digit_year(year: int) -> int:
    if year < 100:
        return year + 2000
    return year


def fingerprint(digits: str, *, key: str) -> str:
    """Return 16 characters that depend on number and key, and that don't reveal the number."""
    return hashlib.blake2b(digits.encode(), key=key.encode()[:64], digest_size=8).hexdigest()


def _validate_expiry(month: int, year: int) -> None:
    if not 1 <= month <= 12:
        raise errors.card_error(
            code="invalid_expiry_month",
            message="Your card's expiration month is invalid.",
            param="exp_month",
            saved=False,
        )
    today = time.gmtime()
    expiry = (four_digit_year(year), month)
    if not (today.tm_year, today.tm_mon) <= expiry <= (today.tm_year + 50, 12):
        raise errors.card_error(
            code="invalid_expiry_year",
            message="Your card's expiration year is invalid.",
            param="exp_year",
            saved=False,
        )


def _luhn_remainder(digits: str) -> int:
    """Return 0 for a number whose check digit is right (the Luhn algorithm)."""
    total = 0
    for position, digit in enumerate(int(character) for character in reversed(digits)):
        if position % 2 == 0:
            total += digit
        else:
            # The digits of the doubled number, added up: 7 → 14 → 1 + 4.
            total += sum(divmod(digit * 2, 10))
    return total % 10
