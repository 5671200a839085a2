"""The cookies of a ticket. They last for a week from a shopper's last visit.

ticket   the ticket itself, which no script may read
index    its index, for the page's script
key      the client key of a join by form: every press in a browser gets the same index
"""

import re
import secrets

from drops.waitingroom.gate import http, texts
from drops.waitingroom.gate.context import GateContext
from drops.waitingroom.gate.http import Request, Response
from drops.waitingroom.gate.refusals import GateRefused
from drops.waitingroom.protocol import keys, tickets
from drops.waitingroom.protocol.tickets import Ticket

TICKET_SECONDS = 7 * 24 * 3600
SECOND_TRY = b"again"  # in the query of a form that was sent again with the cookie set
CLIENT_KEY = re.compile(r"[0-9a-f]{32}")


def find(gate: GateContext, slug: str, request: Request) -> Ticket | None:
    """Return the browser's ticket; None if it has none, or none of ours."""
    value = request.cookie(keys.cookie("ticket", slug, gate.config.secure))
    try:
        return tickets.read_ticket(value, slug, gate.config.ticket_keys)
    except tickets.InvalidSignature:
        return None


def get(gate: GateContext, slug: str, request: Request) -> Ticket:
    """Return the browser's ticket. Raises: GateRefused, which deletes the index that stands for no ticket."""
    ticket = find(gate, slug, request)
    if ticket is not None:
        return ticket
    if request.cookie(keys.cookie("ticket", slug, gate.config.secure)):
        raise GateRefused(texts.FORGED, forget_index=True)
    raise GateRefused(texts.NO_TICKET, forget_index=True)


def keep(gate: GateContext, slug: str, response: Response, ticket: Ticket) -> None:
    """Set the ticket and its index for another week. The ticket is signed again, by the newest key."""
    value = tickets.sign_ticket(ticket, slug, gate.config.ticket_keys)
    response.cookies += [
        _cookie(gate, slug, "ticket", value),
        _cookie(gate, slug, "index", str(ticket.index), readable=True),
    ]


def delete(gate: GateContext, slug: str, response: Response, kind: str) -> None:
    """Delete one of the drop's cookies."""
    response.cookies.append(_cookie(gate, slug, kind, "", seconds=0))


def find_key(gate: GateContext, slug: str, request: Request) -> str:
    """Return the browser's client key, empty if it has none."""
    key = request.cookie(keys.cookie("key", slug, gate.config.secure))
    return key if CLIENT_KEY.fullmatch(key) else ""


def keep_key(gate: GateContext, slug: str, response: Response, key: str) -> None:
    """Set the client key."""
    response.cookies.append(_cookie(gate, slug, "key", key))


def test(gate: GateContext, slug: str, request: Request, *, key: str, again: str) -> Response:
    """Set the client key and have the browser send its form again to the path `again`, now with that cookie.

    Raises: GateRefused the second time, if the cookie didn't come back. Nothing was done.
    """
    if SECOND_TRY in request.query:
        raise GateRefused(texts.NO_COOKIES, key=key)
    response = http.redirect(f"{again}?{SECOND_TRY.decode()}", status=307)
    keep_key(gate, slug, response, key)
    return response


def client_key(given: str) -> str:
    """Return the key by which a retry is recognised; a random one if the client sent none."""
    key = given.lower()
    if CLIENT_KEY.fullmatch(key):
        return key
    return secrets.token_hex(16)


def _cookie(
    gate: GateContext,
    slug: str,
    kind: str,
    value: str,
    *,
    readable: bool = False,
    seconds: int = TICKET_SECONDS,
) -> str:
    secure = gate.config.secure
    name = keys.cookie(kind, slug, secure)
    return http.set_cookie(name, value, seconds=seconds, secure=secure, readable=readable)
