"""A browser's authorisation: the pass that the gate issued, and the token in a hold's address."""

from datetime import datetime
from functools import cache
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from drops.models import Drop
from drops.refusals import HoldRefused
from drops.waitingroom.protocol import keys, tickets
from drops.waitingroom.protocol.tickets import InvalidSignature, Keyring, Pass


class NoPass(HoldRefused):
    title = _("You need to enter the drop first.")
    reason = _(
        "Your two minutes to choose are up, or you entered in another browser. Enter again; your place is kept."
    )
    status = 403


class PassEnded(HoldRefused):
    title = _("Your two minutes to choose are up.")
    reason = _("Enter again to choose. Your place is kept.")
    status = 410


class InvalidToken(Exception):
    """The token in an address isn't one of ours."""


@cache
def keyring(purpose: str) -> Keyring:
    """Return the keys for "pass" or "hold"."""
    return Keyring.parse({"pass": settings.PASS_KEYS, "hold": settings.HOLD_KEYS}[purpose])


def read_pass(*, request: HttpRequest, drop: Drop, now: datetime) -> Pass:
    """Return the pass in the request's cookie. Raises NoPass, PassEnded."""
    value = request.COOKIES.get(keys.cookie("pass", drop.slug, settings.SECURE_COOKIES), "")
    try:
        pass_ = tickets.read_pass(value, drop.slug, keyring("pass"))
    except InvalidSignature:
        raise NoPass from None
    if pass_.ends <= now.timestamp():
        raise PassEnded
    return pass_


def hold_token(uuid: UUID) -> str:
    """Return the part of an address that authorises everything about a hold."""
    return tickets.sign("hold", "", uuid.bytes, keyring("hold"))


def read_hold_token(token: str) -> UUID:
    """Return the hold's uuid. Raises InvalidToken."""
    try:
        return UUID(bytes=tickets.read("hold", "", token, keyring("hold")))
    except (InvalidSignature, ValueError):
        raise InvalidToken from None
