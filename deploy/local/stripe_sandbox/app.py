"""The sandbox as an ASGI application: `gunicorn deploy.local.stripe_sandbox.app:app -k asgi -w 1 --asgi-lifespan on`.

One process only: the journal has one writer. Everything is built at start, from the environment.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from . import config, errors, faults
from .api import Api
from .control import Control
from .courier import Courier
from .journal import Journal
from .operations import OPERATIONS, Operation
from .pages import Pages
from .store import Store

Endpoint = Callable[[Request], Awaitable[Response]]


class Parts(NamedTuple):
    config: config.Config
    journal: Journal
    courier: Courier
    router: Router


class Sandbox:
    """Answers nothing until its lifespan has started."""

    def __init__(self) -> None:
        self._parts: Parts | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._parts is None:
            await PlainTextResponse("The sandbox has not started.\n", 503)(scope, receive, send)
        else:
            await self._answer(self._parts, scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            self._parts = build(config.read(os.environ))
        except config.Refused as reason:
            await send({"type": "lifespan.startup.failed", "message": str(reason)})
            return
        self._parts.courier.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._parts.courier.stop()
        self._parts.journal.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, parts: Parts, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.headers.get("host") not in parts.config.hosts:
            await PlainTextResponse("The sandbox answers to its own address only.\n", 421)(scope, receive, send)
            return
        try:
            await parts.router(scope, receive, send)
        except faults.Dropped:
            # The server closes a connection whose task was cancelled, without a byte and without a line in its log.
            raise asyncio.CancelledError from None


def build(settings: config.Config) -> Parts:
    """Everything that one process needs, the journal replayed. Raises Refused."""
    journal = Journal(settings.folder)
    subscribed = settings.webhook_events if settings.webhook_url else None
    store = Store(journal, subscribed=subscribed)
    store.load()
    orders = faults.Faults()
    courier = Courier(config=settings, store=store, faults=orders)
    api = Api(config=settings, store=store, faults=orders, courier=courier)
    pages = Pages(config=settings, store=store)
    control = Control(store=store, faults=orders, courier=courier, origin=settings.origin)
    routes = [
        *pages.routes(),
        *control.routes(),
        *(_route(api, operation, settings) for operation in OPERATIONS),
        Route("/{rest:path}", _otherwise(settings), methods=["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]),
    ]
    return Parts(settings, journal, courier, Router(routes, redirect_slashes=False))


def _route(api: Api, operation: Operation, settings: config.Config) -> Route:
    async def answer(request: Request) -> Response:
        response = await api.answer(operation, request)
        return _shared(response, request, settings) if operation.public else response

    return Route(operation.path, answer, methods=[operation.method])


def _shared(response: Response, request: Request, settings: config.Config) -> Response:
    """Let the shop's own pages read the answer."""
    response.headers["Vary"] = "Origin"
    if (origin := request.headers.get("origin")) in settings.shop_origins:
        response.headers["Access-Control-Allow-Origin"] = str(origin)
        response.headers["Access-Control-Expose-Headers"] = "Request-Id"
    return response


def _otherwise(settings: config.Config) -> Endpoint:
    """Preflights, and the answer to an address that is none."""

    async def answer(request: Request) -> Response:
        if request.method != "OPTIONS":
            error = errors.unknown_address(request.method, request.url.path)
            return JSONResponse({"error": error.error}, error.status)
        response = _shared(Response(status_code=204), request, settings)
        if "Access-Control-Allow-Origin" in response.headers:
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Stripe-Version"
            response.headers["Access-Control-Max-Age"] = "600"
        return response

    return answer


app = Sandbox()
