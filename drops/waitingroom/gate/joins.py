"""Join: a ticket for a visitor who has none, and the same one again for a visitor who has one or retries."""

import math
from time import time

from redis.exceptions import RedisError

from drops.waitingroom.gate import http, texts, ticket_cookies
from drops.waitingroom.gate.context import GateContext
from drops.waitingroom.gate.http import Request, Response
from drops.waitingroom.gate.refusals import GateRefused, not_joined, over
from drops.waitingroom.gate.times import format_time
from drops.waitingroom.protocol import lua, tickets

LOBBY_LEEWAY_SECONDS = 1.0  # before the lobby opens: from then on Redis' clock decides, not this machine's
MAX_RETRY_SECONDS = 30


async def join(gate: GateContext, slug: str, request: Request) -> Response:
    """Respond to `POST /line/<slug>/join`. Raises: GateRefused, BodyTooLong."""
    form = await request.form()
    ticket = ticket_cookies.find(gate, slug, request)
    if ticket is None:
        given = request.header(b"x-client-key")
        client = ticket_cookies.client_key(given or form.get("key", ""))
        if not request.wants_json and not given:
            kept = ticket_cookies.find_key(gate, slug, request)
            if not kept:
                return ticket_cookies.test(gate, slug, request, key=client, again=f"/line/{slug}/join")
            client = kept
        index = await _index(gate, slug, client)
        ticket = tickets.issue(slug, index, bytes.fromhex(client), gate.config.ticket_keys)
    response = _respond(slug, request, ticket.index)
    ticket_cookies.keep(gate, slug, response, ticket)
    return response


def _respond(slug: str, request: Request, index: int) -> Response:
    if request.wants_json:
        return http.json_response({"index": index})
    return http.redirect(f"/line/{slug}/")


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
