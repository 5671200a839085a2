"""Join: a ticket for who has none, the same one for who has one, or who asks again because the answer was lost."""

import math
import re
import secrets
from time import time

from redis.exceptions import RedisError

from drops.waitingroom.gate import responses, texts
from drops.waitingroom.gate.context import GateContext
from drops.waitingroom.gate.panel import moment
from drops.waitingroom.gate.refusals import GateRefused, uncounted
from drops.waitingroom.gate.requests import Request
from drops.waitingroom.gate.responses import Response
from drops.waitingroom.protocol import keys, lua, tickets

CLIENT_KEY = re.compile(r"[0-9a-f]{32}")
TICKET_SECONDS = 7 * 24 * 3600
LOBBY_LEEWAY = 1.0  # seconds before the lobby within which Redis' clock decides, not ours
LONGEST_WAIT = 30


async def join(gate: GateContext, slug: str, request: Request) -> Response:
    """Answer `POST /line/<slug>/join`. Raises: Refused, TooLong."""
    form = await request.form()
    kept = request.cookie(keys.cookie("ticket", slug, gate.config.secure))
    try:
        ticket = tickets.read_ticket(kept, slug, gate.config.ticket_keys)
    except tickets.Forged:  # none, or none of ours: a new one
        client = _client_key(request.header(b"x-client-key") or form.get("key", ""))
        index = await _index(gate, slug, client)
        ticket = tickets.issue(slug, index, bytes.fromhex(client), gate.config.ticket_keys)
        kept = tickets.sign_ticket(ticket, slug, gate.config.ticket_keys)
    answer = responses.data({"index": ticket.index}) if request.wants_json else responses.redirect(f"/line/{slug}/")
    secure = gate.config.secure
    for kind, value in (("ticket", kept), ("index", str(ticket.index))):
        name = keys.cookie(kind, slug, secure)
        cookie = responses.cookie(name, value, seconds=TICKET_SECONDS, secure=secure, readable=kind == "index")
        answer.cookies.append(cookie)
    return answer


def _client_key(given: str) -> str:
    """What a repeat is recognised by; whoever gives none can't be."""
    return given.lower() if CLIENT_KEY.fullmatch(given.lower()) else secrets.token_hex(16)


async def _index(gate: GateContext, slug: str, client: str) -> int:
    line = await gate.lines.get(slug)
    if line is None:
        raise uncounted(None, key=client)
    if line.lobby > time() + LOBBY_LEEWAY and not line.closed:
        raise _early(line.lobby)
    try:
        return await gate.joins.index(slug, client)
    except lua.Closed:
        raise GateRefused(texts.CLOSED) from None
    except lua.Early as early:
        raise _early(early.at) from None
    except (lua.ScriptRefused, RedisError, OSError) as error:
        raise uncounted(error, key=client) from error


def _early(opens: float) -> GateRefused:
    retry = min(LONGEST_WAIT, max(1, math.ceil(opens - time())))
    return GateRefused(texts.NOT_OPEN, retry=retry, values={"time": moment(opens)}, lobby_opens=opens)
