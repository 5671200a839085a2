"""The sandbox as an ASGI app: `gunicorn deploy.local.stripe_sandbox.app:app -k asgi -w 1 --asgi-lifespan on`.

It runs in a single process, because the write-ahead log has one writer. Everything is built at start.
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
from .bank import Bank
from .config import Config
from .control import ControlApi
from .delivery import WebhookSender
from .operations import OPERATIONS, Operation
from .pages import Pages
from .store import Store
from .wal import WalError, WriteAheadLog

Endpoint = Callable[[Request], Awaitable[Response]]
ALL_METHODS = ["GET", "POST", "DELETE", "PUT", "PATCH", "OPTIONS"]


class Components(NamedTuple):
    config: Config
    wal: WriteAheadLog
    webhooks: WebhookSender
    router: Router


class Sandbox:
    """Responds with 503 until its lifespan has started."""

    def __init__(self) -> None:
        self._components: Components | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif self._components is None:
            await PlainTextResponse("The sandbox has not started.\n", 503)(scope, receive, send)
        else:
            await self._respond(self._components, scope, receive, send)

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            components = build(config.from_environ(os.environ))
        except (config.ConfigError, WalError) as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        self._components = components
        components.webhooks.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await components.webhooks.stop()
        components.wal.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _respond(self, components: Components, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.headers.get("host") not in components.config.hosts:
            await PlainTextResponse("This host name isn't the sandbox's.\n", 421)(scope, receive, send)
            return
        try:
            await components.router(scope, receive, send)
        except faults.ConnectionDropped:
            # gunicorn closes the connection of a cancelled task without sending a byte or logging an error.
            raise asyncio.CancelledError from None


def build(settings: Config) -> Components:
    """Return the components of one process, with the log replayed. Raises WalError."""
    wal = WriteAheadLog(settings.folder)
    subscribed = None
    if settings.webhook_url:
        subscribed = settings.webhook_events
    store = Store(wal, subscribed=subscribed)
    store.load()
    injector = faults.FaultInjector()
    webhooks = WebhookSender(config=settings, store=store, faults=injector)
    api = Api(config=settings, store=store, faults=injector, webhooks=webhooks)
    pages = Pages(config=settings, store=store)
    control = ControlApi(
        store=store,
        faults=injector,
        webhooks=webhooks,
        origin=settings.origin,
        secret_key=settings.secret_key,
    )
    routes = [
        *pages.routes(),
        *Bank(config=settings, store=store, webhooks=webhooks).routes(),
        *control.routes(),
        *(_api_route(api, operation, settings) for operation in OPERATIONS),
        Route("/{rest:path}", _fallback(settings), methods=ALL_METHODS),
    ]
    return Components(settings, wal, webhooks, Router(routes, redirect_slashes=False))


def _api_route(api: Api, operation: Operation, settings: Config) -> Route:
    async def respond(request: Request) -> Response:
        response = await api.respond(operation, request)
        if operation.allows_publishable_key:
            _allow_shop_origins(response, request, settings)
        return response

    return Route(operation.path, respond, methods=[operation.method])


def _allow_shop_origins(response: Response, request: Request, settings: Config) -> bool:
    """Let the shop's pages read the response (CORS). Returns whether the request is from one of them."""
    response.headers["Vary"] = "Origin"
    origin = request.headers.get("origin")
    if origin not in settings.shop_origins:
        return False
    response.headers["Access-Control-Allow-Origin"] = str(origin)
    response.headers["Access-Control-Expose-Headers"] = "Request-Id"
    return True


def _fallback(settings: Config) -> Endpoint:
    """Return the endpoint for CORS preflights and unknown paths."""

    async def respond(request: Request) -> Response:
        if request.method != "OPTIONS":
            error = errors.unrecognized_url(request.method, request.url.path)
            return JSONResponse({"error": error.error}, error.status)
        response = Response(status_code=204)
        if _allow_shop_origins(response, request, settings):
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, Stripe-Version"
            response.headers["Access-Control-Max-Age"] = "600"
        return response

    return respond


app = Sandbox()
