"""The control surface under /_sandbox/: faults, webhooks and lapsing authorisations, for tests and the demo.

It asks for application/json, which a page of another origin cannot send unasked, and refuses a foreign Origin.
"""

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import intents, shapes
from .courier import Courier
from .errors import ApiError
from .faults import BadOrder, Faults
from .store import Change, Store


class Control:
    def __init__(self, *, store: Store, faults: Faults, courier: Courier, origin: str) -> None:
        self._store = store
        self._faults = faults
        self._courier = courier
        self._origin = origin

    def routes(self) -> list[Route]:
        return [
            Route("/_sandbox/state", self.state, methods=["GET"]),
            Route("/_sandbox/faults", self._ordered(self.fault), methods=["POST"]),
            Route("/_sandbox/faults", self.clear, methods=["DELETE"]),
            Route("/_sandbox/webhooks", self._ordered(self.webhooks), methods=["POST"]),
            Route("/_sandbox/webhooks/resend", self._ordered(self.resend), methods=["POST"]),
            Route("/_sandbox/expire", self._ordered(self.expire), methods=["POST"]),
        ]

    async def state(self, request: Request) -> Response:
        """What is ordered, and how much there is."""
        counts = {kind: len(identities) for kind, identities in self._store.order.items()}
        return JSONResponse({**self._faults.state(), "counts": counts, "undelivered": len(self._store.undelivered)})

    async def clear(self, request: Request) -> Response:
        if not self._is_ours(request):
            return JSONResponse({"error": "foreign origin"}, 403)
        self._faults.clear()
        return Response(status_code=204)

    def fault(self, fields: dict[str, Any]) -> dict[str, Any]:
        return {"id": self._faults.order(fields).id}

    def webhooks(self, fields: dict[str, Any]) -> dict[str, Any]:
        self._faults.spoil(fields)
        return self._faults.state()["webhooks"]  # type: ignore[no-any-return]

    def resend(self, fields: dict[str, Any]) -> dict[str, Any]:
        event = self._store.event(str(fields.get("event")))
        self._courier.resend(event["id"])
        return {"id": event["id"]}

    def expire(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Let an intent's authorisation lapse, as after seven days."""
        intent = self._store.get("payment_intent", str(fields.get("payment_intent")), param="intent")
        if intent["status"] != "requires_capture":
            raise BadOrder(f"the intent is {intent['status']}, not requires_capture")
        change = Change(self._store, request=shapes.identity("req_", 14))
        intent = intents.expire(change, intent)
        self._store.commit(change)
        self._courier.send(change.events)
        return intent

    def _ordered(self, do: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip()
            if media_type != "application/json" or not self._is_ours(request):
                return JSONResponse({"error": "orders come as application/json, from no other origin"}, 415)
            try:
                fields = json.loads(await request.body())
                if not isinstance(fields, dict):
                    raise BadOrder("an order is a JSON object")
                done = do(fields)
            except ApiError as error:
                return JSONResponse({"error": error.error["message"]}, error.status)
            except ValueError as reason:
                return JSONResponse({"error": str(reason)}, 400)
            await self._store.journal.durable()
            return JSONResponse(done, 201)

        return answer

    def _is_ours(self, request: Request) -> bool:
        return request.headers.get("origin") in (None, self._origin)
