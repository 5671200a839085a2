"""The gate's ASGI application: `gunicorn drops.waitingroom.gate.app:app -k asgi --asgi-lifespan on`.

Redis only, no Django.

/line/<slug>/             GET   the line without script
/line/<slug>/join         POST  a ticket
/line/<slug>/enter        POST  a pass
/line/<slug>/status.json  GET   the status document
/line/healthz             GET   whether Redis answers
"""

import os
import random
from collections.abc import Awaitable, Callable
from time import time

from drops.waitingroom.gate import responses, texts
from drops.waitingroom.gate.context import GateContext
from drops.waitingroom.gate.enter import enter
from drops.waitingroom.gate.joins import join
from drops.waitingroom.gate.language import gettext as _
from drops.waitingroom.gate.language import language
from drops.waitingroom.gate.panel import tell
from drops.waitingroom.gate.refusals import GateRefused, stuck
from drops.waitingroom.gate.requests import Receive, Request, Scope, Send, TooLong
from drops.waitingroom.gate.responses import Response
from drops.waitingroom.protocol import config, keys, tickets

STATUS_HEADERS = [
    (b"content-type", b"application/json"),
    (b"cache-control", b"public, s-maxage=1, stale-if-error=10"),
]
UNKNOWN_SECONDS = 5


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one request, or the life of the process."""
    if scope["type"] == "lifespan":
        await live(scope, receive, send)
    elif scope["type"] == "http":
        request = Request(scope, receive)
        answer = await route(scope["state"]["gate"], scope["path"], request)
        await responses.deliver(answer, send, head_only=request.method == "HEAD")
    else:
        raise NotImplementedError(scope["type"])


async def live(scope: Scope, receive: Receive, send: Send) -> None:
    """Make the process's Gate, and end it with the process."""
    await receive()
    try:
        found = config.read(os.environ)
    except config.ConfigError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    language.activate(found.language, folder=config.ROOT / "locale")
    gate = scope["state"]["gate"] = GateContext(found)
    gate.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await gate.stop()
    await send({"type": "lifespan.shutdown.complete"})


async def route(gate: GateContext, path: str, request: Request) -> Response:
    """Find who answers, or refuse."""
    if path == "/line/healthz":
        return await health(gate)
    _, line, slug, action = parts if len(parts := path.split("/")) == 4 else ("",) * 4
    if line != "line" or action not in ENDPOINTS or not keys.SLUG.fullmatch(slug):
        return refuse(gate, "", request, GateRefused(texts.NOTHING_HERE))
    methods, endpoint = ENDPOINTS[action]
    try:
        if request.method not in methods:
            return wrong_method(slug, request, methods)
        if methods is WRITE and not request.is_from(gate.config.origin):
            raise GateRefused(texts.OTHER_SITE)
        return await endpoint(gate, slug, request)
    except TooLong:
        return refuse(gate, slug, request, GateRefused(texts.TOO_LONG))
    except GateRefused as refused:
        return refuse(gate, slug, request, refused)


def refuse(gate: GateContext, slug: str, request: Request, refused: GateRefused) -> Response:
    """Say it to who asked. `slug` is empty if no line is meant."""
    if request.wants_json:
        detail = f"{refused.title} {refused.reason}"
        return responses.problem(refused.status, detail, retry=refused.retry, **refused.members)
    line = gate.lines.known.get(slug)
    return gate.pages.refusal(refused, slug=slug, look=line.look if line else {})


def wrong_method(slug: str, request: Request, methods: tuple[str, ...]) -> Response:
    """Send a form's answer that was reloaded back to the line. Raises: Refused."""
    if request.method == "GET":
        return responses.redirect(f"/line/{slug}/")
    raise GateRefused(texts.WRONG_METHOD, values={"allowed": ", ".join(methods)})


async def status(gate: GateContext, slug: str, request: Request) -> Response:
    """Answer `GET /line/<slug>/status.json`: the same for everybody, so the edge keeps it for a second."""
    line = await gate.lines.get(slug)
    if line is None or not line.document:
        return responses.problem(503, _(texts.UNKNOWN), retry=UNKNOWN_SECONDS)
    return Response(200, STATUS_HEADERS, line.document)


async def show(gate: GateContext, slug: str, request: Request) -> Response:
    """Answer `GET /line/<slug>/`: the panel for this shopper."""
    line = await gate.lines.get(slug)
    if line is None:
        raise stuck()
    value = request.cookie(keys.cookie("ticket", slug, gate.config.secure))
    try:
        index = tickets.read_ticket(value, slug, gate.config.ticket_keys).index
    except tickets.Forged:
        index = None  # nobody's: may join
    return gate.pages.line(slug, line, tell(line, index, time(), random.random()))


async def health(gate: GateContext) -> Response:
    """Answer `GET /line/healthz`."""
    return (
        responses.data({"redis": True})
        if await gate.is_healthy()
        else responses.problem(503, _(texts.UNKNOWN), retry=1)
    )


Endpoint = Callable[[GateContext, str, Request], Awaitable[Response]]
READ, WRITE = ("GET", "HEAD"), ("POST",)
ENDPOINTS: dict[str, tuple[tuple[str, ...], Endpoint]] = {
    "": (READ, show),
    "status.json": (READ, status),
    "join": (WRITE, join),
    "enter": (WRITE, enter),
}
