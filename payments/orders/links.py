"""The address of an order's page. Its token authorises everything about the order: keep it out of logs."""

from uuid import UUID

from django.conf import settings
from django.urls import reverse

from drops import tokens
from drops.waitingroom.protocol import tickets
from payments.models import Order


def order_token(uuid: UUID) -> str:
    """Return the part of an address that authorises everything about an order."""
    return tickets.sign("order", "", uuid.bytes, tokens.keyring("hold"))


def read_order_token(token: str) -> UUID:
    """Return the order's uuid. Raises drops.tokens.InvalidToken."""
    try:
        return UUID(bytes=tickets.read("order", "", token, tokens.keyring("hold")))
    except (tickets.InvalidSignature, ValueError):
        raise tokens.InvalidToken from None


def order_path(order: Order) -> str:
    """Return the order page's path."""
    return reverse("order", args=[order_token(order.uuid)])


def order_url(order: Order) -> str:
    """Return the order page's whole address, for an email."""
    return f"{settings.SHOP_ORIGIN}{order_path(order)}"
