"""Join: a ticket for a visitor who has none, and the same one again for a visitor who has one or retries."""

import math
import re
import secrets
from time import time

from redis.exceptions import RedisError

from drops.waitingroom.gate import http, texts
from drops.waitingroom.gate.context import GateContext
from drops.waitingroom.gate.http import Request, Response
from drops.waitingroom.gate.refusals import GateRefused, not_joined, over
from drops.waitingroom.gate.times import format_time
from drops.waitingroom.protocol import keys, lua, tickets

CLIENT_KEY = re.compile(r"[0-9a-f]{32}")
TICKET_SECONDS = 7 * 24 * 3600
LOBBY_LEEWAY_SECONDS = 1.0  # before the lobby opens: from then on Redis' clock decides, not this machine's
MAX_RETRY_SECONDS = 30


async def join(gate: GateContext, slug: str, request: Request) -> Response:
    """Respond to `POST /line/<slug>/join`. Raises: GateRefused, BodyTooLong."""
    form = await request.form()
    value = request.cookie(keys.cookie("ticket", slug, gate.config.secure))
    try:
        ticket = tickets.read_ticket(value, slug, gate.config.ticket_keys)
    except tickets.InvalidSignature:  # no ticket, or not one of ours: a new one
        client = _client_key(request.header(b"x-client-key") or form.get("key", ""))
        index = await _index(gate, slug, client)
        ticket = tickets.issue(slug, index, bytes.fromhex(client), gate.config.ticket_keys)
        value = tickets.sign_ticket(ticket, slug, gate.config.ticket_keys)
    response = _respond(slug, request, ticket.index)
    _set_cookies(response, slug, value, ticket.index, secure=gate.config.secure)
    return response


def _respond(slug: str, request: Request, index: int) -> Response:
    if request.wants_json:
        return http.json_response({"index": index})
    return http.redirect(f"/line/{slug}/")


def _set_cookies(response: Response, slug: str, ticket: str, index: int, *, secure: bool) -> None:
    """Set the ticket, and the index beside it in a cookie that the page's script may read."""
    response.cookies = [
        http.set_cookie(keys.cookie("ticket", slug, secure), ticket, seconds=TICKET_SECONDS, secure=secure),
        http.set_cookie(
            keys.cookie("index", slug, secure),
            str(index),
            seconds=TICKET_SECONDS,
            secure=secure,
            readable=True,
        ),
    ]


def _client_key(given: str) -> str:
    """Return the key by which a retry is recognised; a random one if the client sent none."""
    key = given.lower()
    if CLIENT_KEY.fullmatch(key):
        return key
    return secrets.token_hex(16)


async def _index(gate: GateContext, slug: str, client: str) -> int:
    drop = await gate.cache.get(slug)
    if drop is None:
        raise not_joined(None, key=client)
    if drop.lobby_opens > time() + LOBBY_LEEWAY_SECONDS and not drop.closed:
        raise _too_early(drop.lobby_opens)
    try:
        return await gate.joins.index(slug, client)
    except lua.DropClosed:
        raise over(drop) from None
    except lua.LobbyNotOpen as refused:
        raise _too_early(refused.opens_at) from None
    except (lua.ScriptRefused, RedisError, OSError) as error:
        raise not_joined(error, key=client) from error


def _too_early(opens: float) -> GateRefused:
    retry = min(MAX_RETRY_SECONDS, max(1, math.ceil(opens - time())))
    return GateRefused(texts.NOT_OPEN, retry=retry, values={"time": format_time(opens)}, lobby_opens=opens)
