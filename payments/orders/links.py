"""The address of an order's page. Its token authorises everything about the order: keep it out of logs."""

from uuid import UUID

from django.conf import settings
from django.urls import reverse

from drops import tokens
from drops.waitingroom.protocol import tickets
from payments.models import Attempt, Order


def order_token(uuid: UUID) -> str:
    """Return the part of an address that authorises everything about an order."""
    return tickets.sign("order", "", uuid.bytes, tokens.keyring("hold"))


def read_order_token(token: str) -> UUID:
    """Return the order's uuid. Raises drops.tokens.InvalidToken."""
    return _read("order", token)


def _read(kind: str, token: str) -> UUID:
    try:
        return UUID(bytes=tickets.read(kind, "", token, tokens.keyring("hold")))
    except (tickets.InvalidSignature, ValueError):
        raise tokens.InvalidToken from None


def return_url(attempt: Attempt) -> str:
    """Return the address to which the bank's page leads back. It works once, and isn't the order's own."""
    token = tickets.sign("return", "", attempt.uuid.bytes, tokens.keyring("hold"))
    return f"{settings.SHOP_ORIGIN}{reverse('payment-return', args=[token])}"


def read_return_token(token: str) -> UUID:
    """Return the attempt's uuid. Raises drops.tokens.InvalidToken."""
    return _read("return", token)


def order_path(order: Order) -> str:
    """Return the order page's path."""
    return reverse("order", args=[order_token(order.uuid)])


def order_url(order: Order) -> str:
    """Return the order page's whole address, for an email."""
    return f"{settings.SHOP_ORIGIN}{order_path(order)}"
