"""The gate's ASGI application: `gunicorn drops.waitingroom.gate.app:app -k asgi --asgi-lifespan on`.

Redis only, no Django.

/line/<slug>/             GET   the waiting room without JavaScript; without the last slash, a redirect
/line/<slug>/join         POST  a ticket
/line/<slug>/enter        POST  a pass
/line/<slug>/link         POST  a link that carries the ticket to another browser
/line/<slug>/take         POST  the ticket that such a link carries
/line/<slug>/renew        POST  the ticket's cookies for another week
/line/<slug>/status.json  GET   the status document
/line/healthz             GET   whether this process can serve, and what it has been through
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from time import time

from drops.waitingroom.gate import http, panel, texts, ticket_cookies
from drops.waitingroom.gate.carrying import link, renew, take
from drops.waitingroom.gate.context import GateContext
from drops.waitingroom.gate.entries import enter
from drops.waitingroom.gate.http import BodyTooLong, Receive, Request, Response, Scope, Send
from drops.waitingroom.gate.joins import join
from drops.waitingroom.gate.language import gettext as _
from drops.waitingroom.gate.language import language
from drops.waitingroom.gate.refusals import GateRefused, unavailable
from drops.waitingroom.gate.times import shop_zone
from drops.waitingroom.protocol import config, keys
from drops.waitingroom.protocol.status import FRESH_SECONDS, Status

ANSWER_SECONDS = 10.0  # for any request, whatever it waits for
STATUS_SECONDS = 1  # for which the edge keeps a status
EDGE_SECONDS = 4  # that the edge's two caches may add: their lives, and whole seconds that begin and end
UNKNOWN_RETRY_SECONDS = 5
NOT_FOUND_SECONDS = 5  # for which the edge may keep a 404: a drop may be announced any moment


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one request, or the lifespan of the process."""
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["type"] == "http":
        request = Request(scope, receive)
        response = await answer(scope["state"]["gate"], scope["path"], request)
        await http.send_response(response, send, head_only=request.method == "HEAD")
    else:
        raise NotImplementedError(scope["type"])


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Start the process's GateContext, and stop it with the process."""
    await receive()
    try:
        found = config.read(os.environ)
    except config.GateConfigError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    language.activate(found.language, folder=config.ROOT / "locale")
    shop_zone.activate(found.time_zone)
    gate = scope["state"]["gate"] = GateContext(found)
    gate.start()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await gate.stop()
    await send({"type": "lifespan.shutdown.complete"})


async def answer(gate: GateContext, path: str, request: Request) -> Response:
    """Return the response to a request, whatever happens: nobody waits for ever, and no page is bare."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await route(gate, path, request)
    except Exception as error:  # noqa: BLE001 logged and counted there
        gate.failures.record("A request failed unexpectedly", error)
        return refuse(gate, split_path(path)[0], request, unavailable())


async def route(gate: GateContext, path: str, request: Request) -> Response:
    """Call the endpoint of a path, and turn a refusal into a response."""
    if path == "/line/healthz":
        return await health(gate)
    if is_without_slash(path) and request.method in READ:
        return http.redirect(f"{path}/")
    slug, action = split_path(path)
    if action not in ENDPOINTS or not keys.SLUG.fullmatch(slug):
        return refuse(gate, "", request, GateRefused(texts.NOTHING_HERE))
    try:
        return await call_endpoint(gate, slug, action, request)
    except BodyTooLong:
        return refuse(gate, slug, request, GateRefused(texts.TOO_LONG))
    except GateRefused as refused:
        return refuse(gate, slug, request, refused)


async def call_endpoint(gate: GateContext, slug: str, action: str, request: Request) -> Response:
    """Call an endpoint, if the request may reach it. Raises: GateRefused, BodyTooLong."""
    methods, endpoint = ENDPOINTS[action]
    if request.method not in methods:
        return wrong_method(slug, request, methods)
    if methods is WRITE and not request.is_from(gate.config.origin):
        raise GateRefused(texts.OTHER_SITE)
    if await gate.cache.is_unknown(slug):
        return unknown_drop(gate, action, request)
    return await endpoint(gate, slug, request)


def is_without_slash(path: str) -> bool:
    """Whether it is /line/<slug>, which people type and messengers make of a link's end."""
    parts = path.split("/")
    return len(parts) == 3 and parts[:2] == ["", "line"] and keys.SLUG.fullmatch(parts[2]) is not None


def split_path(path: str) -> tuple[str, str]:
    """Return slug and action of /line/<slug>/<action>; two empty strings for any other path."""
    parts = path.split("/")
    if len(parts) != 4 or parts[:2] != ["", "line"]:
        return "", ""
    return parts[2], parts[3]


def refuse(gate: GateContext, slug: str, request: Request, refused: GateRefused) -> Response:
    """Return a refusal as problem details or as a page. `slug` is empty if the request names no drop."""
    theme: dict[str, str] = {}
    drop = gate.cache.drops.get(slug)
    if drop is not None:
        theme = drop.theme
    if request.wants_json:
        response = problem(refused)
    else:
        holds = holds_something(gate, slug, request)
        response = gate.pages.refusal(refused, slug=slug, theme=theme, holds=holds)
    if refused.forget_index:
        ticket_cookies.delete(gate, slug, response, "index")
    return response


def holds_something(gate: GateContext, slug: str, request: Request) -> bool:
    """Whether the browser has the hint that it holds something of the drop."""
    return bool(slug and request.cookie(keys.cookie("held", slug, gate.config.secure)))


def problem(refused: GateRefused) -> Response:
    """Return a refusal as problem details."""
    detail = f"{refused.title} {refused.reason}"
    return http.problem(refused.status, detail, retry=refused.retry, **refused.members)


def unknown_drop(gate: GateContext, action: str, request: Request) -> Response:
    """Return the 404 for a slug that no announced drop has. A document is only a page if a browser asks."""
    refused = GateRefused(texts.NOTHING_HERE)
    response = refuse(gate, "", request, refused)
    if action == "status.json" and not request.wants_html:
        response = problem(refused)
    return http.cacheable(response, NOT_FOUND_SECONDS)


def wrong_method(slug: str, request: Request, methods: tuple[str, ...]) -> Response:
    """Redirect a GET of a form's address (a reloaded response) to the line. Raises: GateRefused."""
    if request.method in READ:
        return http.redirect(f"/line/{slug}/")
    raise GateRefused(texts.WRONG_METHOD, values={"allowed": ", ".join(methods)})


async def status(gate: GateContext, slug: str, request: Request) -> Response:
    """Respond to `GET /line/<slug>/status.json`, the same for everybody: the edge keeps it for a second.

    Afterwards the edge serves its copy while it fetches the next, until the document is too old to rely on.
    """
    drop = await gate.cache.get(slug)
    if drop is None or not drop.status_json:
        return http.problem(503, _(texts.UNKNOWN), retry=UNKNOWN_RETRY_SECONDS)
    headers = [
        (b"content-type", b"application/json"),
        http.cache_control(STATUS_SECONDS, stale=stale_seconds(drop.status, time())),
    ]
    return Response(200, headers, drop.status_json)


def stale_seconds(document: Status | None, now: float) -> int:
    """Return for how long the edge may serve its copy of the document after the copy's end."""
    if document is None:
        return 0
    left = FRESH_SECONDS - EDGE_SECONDS - max(0.0, now - document.get("now", 0.0))
    return max(0, int(left))


async def show(gate: GateContext, slug: str, request: Request) -> Response:
    """Respond to `GET /line/<slug>/`: the panel for this shopper."""
    drop = await gate.cache.get(slug)
    if drop is None:
        raise unavailable()
    ticket = ticket_cookies.find(gate, slug, request)
    index = ticket.index if ticket else None  # None: the page offers to join
    shown = panel.build(drop, index, time(), random.random())
    key = ticket_cookies.client_key(ticket_cookies.find_key(gate, slug, request))
    response = gate.pages.line(
        slug, drop, shown, key=key, joined=ticket is not None, holds=holds_something(gate, slug, request)
    )
    if ticket is not None:
        ticket_cookies.keep(gate, slug, response, ticket)
    elif shown.action == "join":
        ticket_cookies.keep_key(gate, slug, response, key)
    return response


async def health(gate: GateContext) -> Response:
    """Respond to `GET /line/healthz`, as web does to /healthz/ready."""
    faults = await gate.find_faults()
    body = {
        "ready": not faults,
        "faults": faults,
        "restarts": gate.refresher.restarts,
        "failures": gate.failures.count,
    }
    return http.json_response(body, status=503 if faults else 200)


Endpoint = Callable[[GateContext, str, Request], Awaitable[Response]]
READ, WRITE = ("GET", "HEAD"), ("POST",)
ENDPOINTS: dict[str, tuple[tuple[str, ...], Endpoint]] = {
    "": (READ, show),
    "status.json": (READ, status),
    "join": (WRITE, join),
    "enter": (WRITE, enter),
    "link": (WRITE, link),
    "take": (WRITE, take),
    "renew": (WRITE, renew),
}
