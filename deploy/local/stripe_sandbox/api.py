"""One API request, from the keys and limits to the response on disk.

outage? → API key → rate limits → faults before → replay of the idempotency key's response
                                       │
                                       └─▶ parameters → operation → log → faults after → response
"""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from . import errors, faults, lists, objects, parameters
from .config import Config
from .delivery import WebhookSender
from .errors import ApiError
from .faults import Fault, FaultInjector
from .objects import StripeObject
from .operations import Call, Operation
from .rate_limits import RateLimits
from .store import Store, Transaction

MAX_BODY_BYTES = 64 * 1024
MAX_IDEMPOTENCY_KEY_LENGTH = 255
OUTAGE_PAGE = "<html><body><h1>503 Service Unavailable</h1></body></html>"


@dataclass(frozen=True, kw_only=True)
class ApiResponse:
    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ApiRequest:
    """An HTTP request, decoded."""

    operation: Operation
    object_id: str
    path: str
    raw_params: dict[str, Any]
    idempotency_key: str | None
    request_id: str
    api_key: str
    is_public: bool
    """Made with the publishable key."""
    livemode: bool

    def fingerprint(self) -> str:
        """The same for two requests with the same parameters."""
        text = "&".join(sorted(f"{name}={value}" for name, value in _flatten(self.raw_params)))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Api:
    def __init__(
        self, *, config: Config, store: Store, faults: FaultInjector, webhooks: WebhookSender
    ) -> None:
        self._config = config
        self._store = store
        self._faults = faults
        self._webhooks = webhooks
        self._rate_limits = RateLimits(rate=config.rate, rate_per_endpoint=config.rate_per_endpoint)
        self._live_publishable_key = config.publishable_key.replace("pk_test_", "pk_live_", 1)
        self._keys_in_use: set[str] = set()
        self._locked_objects: set[str] = set()

    async def respond(self, operation: Operation, http_request: Request) -> Response:
        """Return the HTTP response. Raises ConnectionDropped if the connection is to be closed instead."""
        request_id = objects.new_id("req_", 14)
        idempotency_key = None
        try:
            request = await self._decode(operation, http_request, request_id)
            idempotency_key = request.idempotency_key
            response = await self._process(request)
        except ApiError as error:
            response = _error_response(error)
        except faults.ServiceOutage:
            return Response(OUTAGE_PAGE, 503, media_type="text/html")
        headers = {
            "Cache-Control": "no-store",
            "Request-Id": request_id,
            "Stripe-Version": http_request.headers.get("stripe-version", objects.API_VERSION),
        }
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        return Response(
            response.body, response.status, headers | response.headers, media_type="application/json"
        )

    async def _decode(self, operation: Operation, http_request: Request, request_id: str) -> ApiRequest:
        idempotency_key = None
        if http_request.method == "POST":
            encoded = await http_request.body()
            idempotency_key = http_request.headers.get("idempotency-key")
        else:
            encoded = http_request.url.query.encode()
        if len(encoded) > MAX_BODY_BYTES:
            raise errors.invalid_request("The request is too large.")
        raw_params = parameters.decode(encoded.decode(errors="replace"))
        if idempotency_key is not None and not 0 < len(idempotency_key) <= MAX_IDEMPOTENCY_KEY_LENGTH:
            raise errors.invalid_request(
                f"Idempotency keys must be at least 1 and at most {MAX_IDEMPOTENCY_KEY_LENGTH} characters long."
            )
        api_key = _api_key(http_request)
        if operation.allows_publishable_key:
            # Browsers send the key as a parameter.
            api_key = api_key or raw_params.pop("key", "")
        if not isinstance(api_key, str):
            api_key = ""  # `key[…]=` was sent
        is_public = api_key in (self._config.publishable_key, self._live_publishable_key)
        if is_public:
            idempotency_key = None
        return ApiRequest(
            operation=operation,
            object_id=http_request.path_params.get("id", ""),
            path=http_request.url.path,
            raw_params=raw_params,
            idempotency_key=idempotency_key,
            request_id=request_id,
            api_key=api_key,
            is_public=is_public,
            livemode=api_key == self._live_publishable_key,
        )

    async def _process(self, request: ApiRequest) -> ApiResponse:
        faults_before = self._faults.take(request.operation.name, "before")
        await faults.inject([fault for fault in faults_before if fault.kind == "outage"])
        self._check_key_and_limits(request)
        key, object_id = self._acquire_locks(request)
        transaction = Transaction(
            self._store, request_id=request.request_id, idempotency_key=request.idempotency_key
        )
        try:
            await faults.inject(faults_before, saved=False)
            response = self._replay(request)
            faults_after = self._faults.take(request.operation.name, "after")
            if response is None:
                response, transaction = await self._execute(request, transaction, faults_before, faults_after)
        finally:
            self._keys_in_use.discard(key)
            self._locked_objects.discard(object_id)
        # Nothing leaves before it is on disk: neither the response nor a webhook.
        await self._store.wal.flush()
        self._webhooks.send(transaction.pending_events)
        await faults.inject(faults_after, saved=False)
        return response

    def _check_key_and_limits(self, request: ApiRequest) -> None:
        """Raise ApiError for an API key that is missing, invalid or insufficient, and above a rate limit."""
        if not request.api_key:
            raise errors.missing_api_key()
        if request.is_public:
            # These calls come from shoppers' browsers, so the shop's rate limits don't apply.
            if not request.operation.allows_publishable_key:
                raise errors.secret_key_required()
        elif request.api_key != self._config.secret_key:
            raise errors.invalid_api_key(request.api_key)
        else:
            self._rate_limits.acquire(request.operation.name)
            if not request.operation.allows_secret_key:
                raise errors.unrecognized_url("POST", request.path)

    def _acquire_locks(self, request: ApiRequest) -> tuple[str, str]:
        """Lock the idempotency key and the object for this request, and return them, empty if there is none.

        Raises ApiError if another request has one of them.
        """
        key = request.idempotency_key or ""
        object_id = ""
        if request.operation.method == "POST":
            object_id = request.object_id
        if key in self._keys_in_use:
            raise errors.idempotency_key_in_use(key)
        if object_id in self._locked_objects:
            raise errors.lock_timeout()
        if key:
            self._keys_in_use.add(key)
        if object_id:
            self._locked_objects.add(object_id)
        return key, object_id

    def _replay(self, request: ApiRequest) -> ApiResponse | None:
        """Return the response that the idempotency key keeps, if any.

        Raises ApiError if the key was first used for a different request.
        """
        key = request.idempotency_key
        if not key:
            return None
        saved = self._store.find_response(key)
        if saved is None:
            return None
        if saved.path != request.path:
            raise errors.idempotency_mismatch(key, path=saved.path)
        if saved.fingerprint != request.fingerprint():
            raise errors.idempotency_mismatch(key)
        headers = {"Idempotent-Replayed": "true", "Original-Request": saved.request_id}
        return ApiResponse(status=saved.status, body=self._store.read_body(saved), headers=headers)

    async def _execute(
        self,
        request: ApiRequest,
        transaction: Transaction,
        faults_before: list[Fault],
        faults_after: list[Fault],
    ) -> tuple[ApiResponse, Transaction]:
        """Run the operation and commit its changes, with the response that the idempotency key keeps."""
        saved_body: StripeObject | None = None
        try:
            await faults.inject([fault for fault in faults_before if fault.kind == "error"], saved=True)
            saved_body = self._run(request, transaction)
            response = ApiResponse(status=200, body=objects.to_json(saved_body))
        except ApiError as error:
            response = _error_response(error)
            if error.saved:
                saved_body = {"error": error.error}
            if not error.commits:
                transaction = Transaction(self._store)
        if any(fault.kind == "error" and fault.is_saved() for fault in faults_after):
            # The changes stay, but the key keeps the error: a retry will not learn what happened.
            fault_error = errors.unknown_error(saved=True)
            response = _error_response(fault_error)
            saved_body = {"error": fault_error.error}
        if request.idempotency_key and saved_body is not None:
            transaction.save_response(
                {
                    "key": request.idempotency_key,
                    "path": request.path,
                    "fingerprint": request.fingerprint(),
                    "status": response.status,
                    "request_id": request.request_id,
                    "saved_at": objects.unix_time(),
                    "body": saved_body,
                }
            )
        self._store.commit(transaction)
        return response, transaction

    def _run(self, request: ApiRequest, transaction: Transaction) -> StripeObject:
        operation = request.operation
        params = parameters.parse(
            request.raw_params, schema=operation.schema, operation=operation.name, required=operation.required
        )
        call = Call(
            transaction=transaction,
            params=params,
            object_id=request.object_id,
            account=self._config.secret_key,
            origin=self._config.origin,
            livemode=request.livemode,
            is_public=request.is_public,
        )
        return lists.expand(transaction, operation.run(call), params.get("expand", []))


def _error_response(error: ApiError) -> ApiResponse:
    headers = dict(error.headers)
    if error.status >= 500:
        headers["Stripe-Should-Retry"] = str(not error.saved).lower()
    return ApiResponse(status=error.status, body=objects.to_json({"error": error.error}), headers=headers)


def _api_key(http_request: Request) -> str:
    """Return the key of the Authorization header, or an empty string."""
    scheme, _, credentials = http_request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
        except ValueError:
            return "?"  # not empty: a key was sent, but it isn't valid
    return ""


def _flatten(params: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested parameters as pairs again: `a[b]` and its value."""
    pairs: list[tuple[str, str]] = []
    for key, value in params.items():
        name = key
        if prefix:
            name = f"{prefix}[{key}]"
        if isinstance(value, dict):
            pairs.extend(_flatten(value, name))
        else:
            pairs.append((name, value))
    return pairs
