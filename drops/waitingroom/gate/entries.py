"""Enter: a pass for a shopper whose place has been called.

Everyone else is refused from memory; only a shopper who seems to be called reaches Redis, which decides.
"""

import math
import random
from time import time

from redis.exceptions import RedisError

from drops.waitingroom.gate import http, texts, ticket_cookies
from drops.waitingroom.gate.cache import CachedDrop
from drops.waitingroom.gate.context import GateContext
from drops.waitingroom.gate.http import Request, Response
from drops.waitingroom.gate.refusals import GateRefused, over, unavailable
from drops.waitingroom.gate.texts import Refusal
from drops.waitingroom.protocol import keys, lua, status, tickets
from drops.waitingroom.protocol.tickets import Pass, Ticket

ALLOWANCE_RETRY_SECONDS = (2, 5)  # from, to: sooner than the next places are called, so before newcomers
PAUSED_RETRY_SECONDS = (5, 15)
SOLD_OUT_RETRY_SECONDS = (20, 30)
UNKNOWN_RETRY_SECONDS = 10
PASS_COOKIE_SECONDS = 3600  # longer than the pass, so that the shop can say that its two minutes are up


async def enter(gate: GateContext, slug: str, request: Request) -> Response:
    """Respond to `POST /line/<slug>/enter`. Raises: GateRefused."""
    pass_ = await _request_pass(gate, slug, ticket_cookies.get(gate, slug, request))
    pick = f"/drops/{slug}/pick/"
    if request.wants_json:
        response = http.json_response({"pick": pick, "ends": pass_.ends})
    else:
        response = http.redirect(pick)
    secure = gate.config.secure
    name = keys.cookie("pass", slug, secure)
    value = tickets.sign_pass(pass_, slug, gate.config.pass_keys)
    response.cookies.append(http.set_cookie(name, value, seconds=PASS_COOKIE_SECONDS, secure=secure))
    return response


async def _request_pass(gate: GateContext, slug: str, ticket: Ticket) -> Pass:
    drop = await gate.cache.get(slug)
    if drop is None:
        raise unavailable()
    place = _called_place(drop, ticket.index)
    try:
        entry = lua.Entry(*await lua.run_async(gate.redis, *lua.enter_call(slug, ticket.index, place)))
    except lua.DropClosed:
        raise over(drop) from None
    except lua.NotCalled as refused:
        raise _wait(texts.NOT_CALLED, place, refused.cursor, _poll_seconds(drop, place)) from None
    except lua.AdmissionPaused:
        raise _wait(texts.PAUSED, place, drop.cursor, random.randint(*PAUSED_RETRY_SECONDS)) from None
    except lua.AllowanceUsedUp:
        raise _wait(texts.NOT_NOW, place, drop.cursor, random.randint(*ALLOWANCE_RETRY_SECONDS)) from None
    except (lua.NotAdopted, RedisError, OSError) as error:
        raise unavailable() from error
    return Pass(ticket.id, ticket.index, place, entry.cursor, entry.entered)


def _called_place(drop: CachedDrop, index: int) -> int:
    """Return the place of an index, if memory doesn't rule out that it is called. Raises: GateRefused."""
    place = drop.place(index)
    if drop.closed:
        raise over(drop)
    if place is None:
        raise _wait(texts.NOT_DRAWN, place, drop.cursor, _poll_seconds(drop, place))
    if drop.paused:
        raise _wait(texts.PAUSED, place, drop.cursor, random.randint(*PAUSED_RETRY_SECONDS))
    if drop.status is not None and drop.status["phase"] == "sold out":
        raise _wait(texts.NONE_LEFT, place, drop.cursor, random.randint(*SOLD_OUT_RETRY_SECONDS))
    if place >= drop.cursor:
        raise _wait(texts.NOT_CALLED, place, drop.cursor, _poll_seconds(drop, place))
    if drop.is_silent:
        raise unavailable()  # Postgres may hang: the pass would run out before a hold succeeds
    return place


def _wait(refusal: Refusal, place: int | None, cursor: int, retry: int) -> GateRefused:
    return GateRefused(refusal, retry=retry, place=place, cursor=cursor)


def _poll_seconds(drop: CachedDrop, place: int | None) -> int:
    """Return the seconds until the next attempt, by the status document's poll rule."""
    now = time()
    if drop.status is None or not status.is_fresh(drop.status, now):
        return UNKNOWN_RETRY_SECONDS
    return max(1, math.ceil(status.poll_seconds(drop.status, place, now, random.random())))
