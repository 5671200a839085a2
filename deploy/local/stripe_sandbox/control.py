"""The control API under /_sandbox/, for tests and the demo: faults, webhooks, authorisations and refunds.

Writes need application/json, which a page of another origin can't send without asking, and no foreign Origin.
"""

import json
import secrets
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import intents, objects, refunds
from .delivery import WebhookSender
from .errors import ApiError
from .faults import FaultInjector, InvalidFault
from .store import Store, Transaction

Fields = dict[str, Any]


class ControlApi:
    def __init__(
        self, *, store: Store, faults: FaultInjector, webhooks: WebhookSender, origin: str, secret_key: str
    ) -> None:
        self._store = store
        self._faults = faults
        self._webhooks = webhooks
        self._origin = origin
        self._secret_key = secret_key

    def routes(self) -> list[Route]:
        return [
            Route("/_sandbox/account", self.get_account, methods=["GET"]),
            Route("/_sandbox/state", self.get_state, methods=["GET"]),
            Route("/_sandbox/faults", self._json_endpoint(self.add_fault), methods=["POST"]),
            Route("/_sandbox/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_sandbox/webhooks", self._json_endpoint(self.set_webhook_faults), methods=["POST"]),
            Route("/_sandbox/webhooks/resend", self._json_endpoint(self.resend_event), methods=["POST"]),
            Route("/_sandbox/refunds", self._json_endpoint(self.settle_refund), methods=["POST"]),
            Route("/_sandbox/expire", self._json_endpoint(self.expire_authorisation), methods=["POST"]),
        ]

    async def get_state(self, request: Request) -> Response:
        """Return the active faults, and the number of objects and undelivered events."""
        counts = {object_type: len(ids) for object_type, ids in self._store.ids.items()}
        return JSONResponse(
            {**self._faults.state(), "counts": counts, "undelivered": len(self._store.undelivered)}
        )

    async def get_account(self, request: Request) -> Response:
        """Confirm to a caller with the secret key that this is a sandbox: a load test checks that first."""
        sent = request.headers.get("authorization", "").encode()
        if not secrets.compare_digest(sent, f"Bearer {self._secret_key}".encode()):
            return JSONResponse({"error": "This isn't the sandbox's secret key."}, 401)
        return JSONResponse({"sandbox": True})

    async def clear_faults(self, request: Request) -> Response:
        if not self._is_own_origin(request):
            return JSONResponse({"error": "Requests from another origin are refused."}, 403)
        self._faults.clear()
        return Response(status_code=204)

    def add_fault(self, fields: Fields) -> Fields:
        return {"id": self._faults.add(fields).id}

    def set_webhook_faults(self, fields: Fields) -> Fields:
        self._faults.set_webhook_faults(fields)
        state: Fields = self._faults.state()["webhooks"]
        return state

    def resend_event(self, fields: Fields) -> Fields:
        event = self._store.get_event(str(fields.get("event")))
        self._webhooks.resend(event["id"])
        return {"id": event["id"]}

    def expire_authorisation(self, fields: Fields) -> Fields:
        """Expire an intent's authorisation now, as it would after seven days."""
        intent = self._store.get("payment_intent", str(fields.get("payment_intent")), param="intent")
        if intent["status"] != "requires_capture":
            raise InvalidFault(f"The intent is {intent['status']}, not requires_capture.")
        transaction = Transaction(self._store, request_id=objects.new_id("req_", 14))
        intent = intents.expire(transaction, intent)
        self._store.commit(transaction)
        self._webhooks.send(transaction.pending_events)
        return intent

    def settle_refund(self, fields: Fields) -> Fields:
        """Bring a refund to a status: {"refund": "re_…", "status": "failed", "failure_reason": …}."""
        status = str(fields.get("status"))
        if status not in {"pending", "requires_action", "succeeded", "failed", "canceled"}:
            raise InvalidFault(f"There is no status {status} of a refund.")
        refund = self._store.get("refund", str(fields.get("refund")), param="refund")
        transaction = Transaction(self._store, request_id=objects.new_id("req_", 14))
        reason = fields.get("failure_reason")
        refund = refunds.settle(transaction, refund, status=status, failure_reason=reason)
        self._store.commit(transaction)
        self._webhooks.send(transaction.pending_events)
        return refund

    def _json_endpoint(self, handler: Callable[[Fields], Fields]) -> Callable[[Request], Any]:
        async def respond(request: Request) -> Response:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip()
            if media_type != "application/json" or not self._is_own_origin(request):
                return JSONResponse({"error": "Send application/json, and from no other origin."}, 415)
            try:
                fields = json.loads(await request.body())
                if not isinstance(fields, dict):
                    raise InvalidFault("The body must be a JSON object.")
                result = handler(fields)
            except ApiError as error:
                return JSONResponse({"error": error.error["message"]}, error.status)
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
            await self._store.wal.flush()
            return JSONResponse(result, 201)

        return respond

    def _is_own_origin(self, request: Request) -> bool:
        return request.headers.get("origin") in (None, self._origin)
