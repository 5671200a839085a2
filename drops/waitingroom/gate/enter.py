"""Enter: a pass for who is called. Who isn't is told so from memory; only who seems to be called reaches Redis."""

import math
import random
from time import time

from redis.exceptions import RedisError

from drops.waitingroom.gate import responses, texts
from drops.waitingroom.gate.cache import CachedDrop
from drops.waitingroom.gate.context import GateContext
from drops.waitingroom.gate.refusals import GateRefused, stuck
from drops.waitingroom.gate.requests import Request
from drops.waitingroom.gate.responses import Response
from drops.waitingroom.gate.texts import Refusal
from drops.waitingroom.protocol import keys, lua, status, tickets
from drops.waitingroom.protocol.tickets import Pass, Ticket

FULL_SECONDS = (2, 5)  # who is called comes back within, so before newcomers
PAUSED_SECONDS = (5, 15)
GONE_SECONDS = (20, 30)
UNKNOWN_SECONDS = 10


async def enter(gate: GateContext, slug: str, request: Request) -> Response:
    """Answer `POST /line/<slug>/enter`. Raises: Refused."""
    admit = await _admit(gate, slug, _ticket(gate, slug, request))
    pick = f"/drops/{slug}/pick/"
    answer = responses.data({"pick": pick}) if request.wants_json else responses.redirect(pick)
    secure = gate.config.secure
    left = max(1, min(tickets.PASS_SECONDS, math.ceil(admit.ends - time())))
    value = tickets.sign_pass(admit, slug, gate.config.pass_keys)
    answer.cookies.append(responses.cookie(keys.cookie("pass", slug, secure), value, seconds=left, secure=secure))
    return answer


def _ticket(gate: GateContext, slug: str, request: Request) -> Ticket:
    value = request.cookie(keys.cookie("ticket", slug, gate.config.secure))
    try:
        return tickets.read_ticket(value, slug, gate.config.ticket_keys)
    except tickets.Forged:
        raise GateRefused(texts.FORGED if value else texts.NO_TICKET) from None


async def _admit(gate: GateContext, slug: str, ticket: Ticket) -> Pass:
    line = await gate.lines.get(slug)
    if line is None:
        raise stuck()
    place = _called(line, ticket.index)
    try:
        entry = lua.Entry(*await lua.run_async(gate.server, *lua.enter_call(slug, ticket.index, place)))
    except lua.Closed:
        raise GateRefused(texts.CLOSED) from None
    except lua.Early as early:
        raise _wait(texts.NOT_CALLED, place, early.at, _poll(line, place)) from None
    except lua.Paused:
        raise _wait(texts.PAUSED, place, line.cursor, random.randint(*PAUSED_SECONDS)) from None
    except lua.Full:
        raise _wait(texts.NOT_NOW, place, line.cursor, random.randint(*FULL_SECONDS)) from None
    except (lua.Unadopted, RedisError, OSError) as error:
        raise stuck() from error
    return Pass(ticket.id, ticket.index, place, entry.cursor, entry.entered)


def _called(line: CachedDrop, index: int) -> int:
    """Find the place of an index, if it seems to be called. Raises: Refused, with all that memory can say."""
    place = line.place(index)
    if line.closed:
        raise GateRefused(texts.CLOSED)
    if place is None:
        raise _wait(texts.NOT_DRAWN, place, line.cursor, _poll(line, place))
    if line.paused:
        raise _wait(texts.PAUSED, place, line.cursor, random.randint(*PAUSED_SECONDS))
    if line.doc is not None and line.doc["phase"] == "sold out":
        raise _wait(texts.NONE_LEFT, place, line.cursor, random.randint(*GONE_SECONDS))
    if place >= line.cursor:
        raise _wait(texts.NOT_CALLED, place, line.cursor, _poll(line, place))
    return place


def _wait(refusal: Refusal, place: int | None, cursor: int, retry: int) -> GateRefused:
    return GateRefused(refusal, retry=retry, place=place, cursor=cursor)


def _poll(line: CachedDrop, place: int | None) -> int:
    """Seconds until asking again, as the poll rule of the status document says."""
    now = time()
    if line.doc is None or not status.is_fresh(line.doc, now):
        return UNKNOWN_SECONDS
    return max(1, math.ceil(status.poll_after(line.doc, place, now, random.random())))
