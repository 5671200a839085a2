"""Stripe's test cards: what each does, and what is told about it. No card number is kept past this module."""

import hashlib
import time
from typing import NamedTuple

from . import errors


class Decline(NamedTuple):
    code: str
    decline_code: str
    message: str
    advice: str = "do_not_try_again"


class Card(NamedTuple):
    name: str
    """What follows `pm_card_` in Stripe's shortcut."""
    number: str
    decline: Decline | None = None
    authenticate: bool = False
    """The bank asks for 3-D Secure; `decline` is then what follows a passed one."""
    brand: str = "visa"
    funding: str = "credit"

    @property
    def last4(self) -> str:
        return self.number[-4:]


DECLINED = "Your card was declined."
GENERIC = Decline("card_declined", "generic_decline", DECLINED, "try_again_later")
NO_FUNDS = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.", "try_again_later")
EXPIRED = Decline("expired_card", "expired_card", "Your card has expired.")
WRONG_CVC = Decline("incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "confirm_card_data")
BANK_FAULT = Decline(
    "processing_error",
    "processing_error",
    "An error occurred while processing your card. Try again in a little bit.",
    "try_again_later",
)
REAL_CARD = Decline(
    "card_declined",
    "test_mode_live_card",
    "Your card was declined. Your request was in test mode, but used a non test (live) card. "
    "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
)
NEEDS_AUTHENTICATION = Decline(
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
    Card("visa_chargeDeclined", "4000000000000002", GENERIC),
    Card("visa_chargeDeclinedInsufficientFunds", "4000000000009995", NO_FUNDS),
    Card("visa_chargeDeclinedLostCard", "4000000000009987", Decline("card_declined", "lost_card", DECLINED)),
    Card("visa_chargeDeclinedStolenCard", "4000000000009979", Decline("card_declined", "stolen_card", DECLINED)),
    Card(
        "visa_chargeDeclinedVelocityLimitExceeded",
        "4000000000006975",
        Decline("card_declined", "card_velocity_exceeded", DECLINED, "try_again_later"),
    ),
    Card("chargeCustomerFail", "4000000000000341", GENERIC),
    Card("chargeDeclinedExpiredCard", "4000000000000069", EXPIRED),
    Card("chargeDeclinedIncorrectCvc", "4000000000000127", WRONG_CVC),
    Card("chargeDeclinedProcessingError", "4000000000000119", BANK_FAULT),
    Card("authenticationRequired", "4000002500003155", authenticate=True),
    Card("authenticationRequiredOnSetup", "4000002760003184", authenticate=True),
    Card("threeDSecure2Required", "4000000000003220", authenticate=True),
    Card("authenticationRequiredChargeDeclinedInsufficientFunds", "4000008260003178", NO_FUNDS, authenticate=True),
)
ANY_OTHER = Card("live", "", REAL_CARD)
BY_NUMBER = {card.number: card for card in CARDS}
BY_NAME = {card.name: card for card in (*CARDS, ANY_OTHER)}
# Stripe knows the declining shortcuts with and without the brand.
BY_NAME |= {name.removeprefix("visa_"): card for name, card in list(BY_NAME.items()) if "chargeDeclined" in name}
BY_NAME |= {f"visa_{name}": BY_NAME[name] for name in list(BY_NAME) if name.startswith("chargeDeclined")}
SHORTCUT = "pm_card_"


def check(*, number: str, exp_month: int, exp_year: int, cvc: str | None) -> Card:
    """The test card behind what was typed. Raises ApiError as Stripe does for digits that cannot be a card's."""
    digits = number.replace(" ", "").replace("-", "")
    if not (digits.isascii() and digits.isdigit() and 12 <= len(digits) <= 19):
        raise errors.card(
            code="invalid_number",
            message="The card number is not a valid credit card number.",
            param="number",
            saved=False,
        )
    if _luhn(digits):
        raise errors.card(
            code="incorrect_number", message="Your card number is incorrect.", param="number", saved=False
        )
    today = time.gmtime()
    if not 1 <= exp_month <= 12:
        raise errors.card(
            code="invalid_expiry_month",
            message="Your card's expiration month is invalid.",
            param="exp_month",
            saved=False,
        )
    year = exp_year + 2000 if exp_year < 100 else exp_year
    if not (today.tm_year, today.tm_mon) <= (year, exp_month) <= (today.tm_year + 50, 12):
        raise errors.card(
            code="invalid_expiry_year",
            message="Your card's expiration year is invalid.",
            param="exp_year",
            saved=False,
        )
    card = BY_NUMBER.get(digits, ANY_OTHER)
    if cvc is not None and not (cvc.isascii() and cvc.isdigit() and len(cvc) == (4 if card.brand == "amex" else 3)):
        raise errors.card(code="invalid_cvc", message="Your card's security code is invalid.", param="cvc", saved=False)
    return card


def fingerprint(digits: str, *, key: str) -> str:
    """The same 16 characters for the same number in this account, and no way back."""
    return hashlib.blake2b(digits.encode(), key=key.encode()[:64], digest_size=8).hexdigest()


def _luhn(digits: str) -> int:
    """0 for a number whose check digit is right."""
    doubled = [int(digit) for digit in digits[-2::-2]]
    return (sum(int(digit) for digit in digits[-1::-2]) + sum(d * 2 - 9 * (d > 4) for d in doubled)) % 10
