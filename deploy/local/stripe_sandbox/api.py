"""One request to the API, from key and limits over idempotency and faults to the answer on disk.

outage? → key → rate → faults before → replay of the key's answer
                                  └─▶ parameters → operation → journal, with the answer → faults after → answer
"""

import base64
import hashlib
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from . import errors, faults, listing, parameters, shapes
from .config import Config
from .courier import Courier
from .errors import ApiError
from .limits import Limits
from .operations import Call, Operation
from .shapes import Thing
from .store import Change, Store

MOST_BYTES = 64 * 1024
AWAY = "<html><body><h1>503 Service Unavailable</h1></body></html>"


@dataclass(frozen=True, kw_only=True)
class Reply:
    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request, read."""

    operation: Operation
    identity: str
    path: str
    raw: Thing
    key: str | None
    request: str
    api_key: str
    public: bool = False
    livemode: bool = False

    def print(self) -> str:
        """Two requests with this in common ask the same."""
        text = "&".join(sorted(f"{name}={value}" for name, value in _flat(self.raw)))
        return hashlib.sha256(text.encode()).hexdigest()[:32]


class Api:
    def __init__(self, *, config: Config, store: Store, faults: faults.Faults, courier: Courier) -> None:
        self._config = config
        self._store = store
        self._faults = faults
        self._courier = courier
        self._limits = Limits(rate=config.rate, rate_per_endpoint=config.rate_per_endpoint)
        self._live_publishable_key = config.publishable_key.replace("pk_test_", "pk_live_", 1)
        self._keys_in_use: set[str] = set()
        self._locked: set[str] = set()

    async def answer(self, operation: Operation, request: Request) -> Response:
        """Raises Dropped when the connection is to be closed instead."""
        request_id = shapes.identity("req_", 14)
        key = None
        try:
            asked = await self._read(operation, request, request_id)
            key = asked.key
            reply = await self._serve(asked)
        except ApiError as error:
            reply = _refusal(error)
        except faults.Outage:
            return Response(AWAY, 503, media_type="text/html")
        headers = {
            "Cache-Control": "no-store",
            "Request-Id": request_id,
            "Stripe-Version": request.headers.get("stripe-version", shapes.API_VERSION),
            **({"Idempotency-Key": key} if key else {}),
            **reply.headers,
        }
        return Response(reply.body, reply.status, headers, media_type="application/json")

    async def _read(self, operation: Operation, request: Request, request_id: str) -> Asked:
        body = await request.body() if request.method == "POST" else request.url.query.encode()
        if len(body) > MOST_BYTES:
            raise errors.invalid("The request is too large.")
        raw = parameters.decode(body.decode(errors="replace"))
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is not None and not 0 < len(key) <= 255:
            raise errors.invalid("Idempotency keys must be at least 1 and at most 255 characters long.")
        given = _api_key(request) or raw.pop("key", "") if operation.public else _api_key(request)
        public = given in (self._config.publishable_key, self._live_publishable_key)
        return Asked(
            operation=operation,
            identity=request.path_params.get("id", ""),
            path=request.url.path,
            raw=raw,
            key=None if public else key,
            request=request_id,
            api_key=given if isinstance(given, str) else "",
            public=public,
            livemode=given == self._live_publishable_key,
        )

    async def _serve(self, asked: Asked) -> Reply:
        name = asked.operation.name
        early = self._faults.take(name, "before")
        await faults.suffer([fault for fault in early if fault.kind == "outage"])
        self._admit(asked)
        key, thing = self._take_locks(asked)
        change = Change(self._store, request=asked.request, key=asked.key)
        try:
            await faults.suffer(early, saved=False)
            reply = self._replay(asked)
            late = self._faults.take(name, "after")
            if reply is None:
                reply, change = await self._do(asked, change, early=early, late=late)
        finally:
            self._keys_in_use.discard(key)
            self._locked.discard(thing)
        await self._store.journal.durable()
        self._courier.send(change.events)
        await faults.suffer(late, saved=False)
        return reply

    def _admit(self, asked: Asked) -> None:
        """Raises ApiError for a missing, foreign or insufficient key, and for haste."""
        if not asked.api_key:
            raise errors.no_key()
        if asked.public:  # the calls of many browsers: not counted against the shop
            if not asked.operation.public:
                raise errors.secret_key_required()
        elif asked.api_key != self._config.secret_key:
            raise errors.foreign_key(asked.api_key)
        else:
            self._limits.admit(asked.operation.name)
            if not asked.operation.secret:
                raise errors.unknown_address("POST", asked.path)

    def _take_locks(self, asked: Asked) -> tuple[str, str]:
        """The key and the object are ours until the answer is known. Raises ApiError when another has one."""
        key = asked.key or ""
        thing = asked.identity if asked.operation.method == "POST" else ""
        if key in self._keys_in_use:
            raise errors.key_in_use(key)
        if thing in self._locked:
            raise errors.locked()
        if key:
            self._keys_in_use.add(key)
        if thing:
            self._locked.add(thing)
        return key, thing

    def _replay(self, asked: Asked) -> Reply | None:
        """What the key was answered with before, if it was. Raises ApiError when it asked something else."""
        key = asked.key or ""
        answer = self._store.answer(key) if key else None
        if answer is None:
            return None
        if answer.path != asked.path:
            raise errors.key_mismatch(key, path=answer.path)
        if answer.print != asked.print():
            raise errors.key_mismatch(key)
        headers = {"Idempotent-Replayed": "true", "Original-Request": answer.request}
        return Reply(status=answer.status, body=self._store.body(answer), headers=headers)

    async def _do(
        self, asked: Asked, change: Change, *, early: list[faults.Fault], late: list[faults.Fault]
    ) -> tuple[Reply, Change]:
        """Run the operation and commit what it did, with the answer that the key will keep."""
        answer: Thing | None = None
        try:
            await faults.suffer([fault for fault in early if fault.kind == "error"], saved=True)
            answer = self._run(asked, change)
            reply = Reply(status=200, body=shapes.compact(answer))
        except ApiError as error:
            reply, answer = _refusal(error), {"error": error.error} if error.saved else None
            if not error.commits:
                change = Change(self._store)
        if any(each.kind == "error" and each.keeps() for each in late):
            fault = errors.unknown_fault(saved=True)
            reply, answer = _refusal(fault), {"error": fault.error}
        if asked.key and answer is not None:
            change.answer(
                {
                    "key": asked.key,
                    "path": asked.path,
                    "print": asked.print(),
                    "status": reply.status,
                    "request": asked.request,
                    "at": shapes.now(),
                    "body": answer,
                }
            )
        self._store.commit(change)
        return reply, change

    def _run(self, asked: Asked, change: Change) -> Thing:
        operation = asked.operation
        params = parameters.check(
            asked.raw, schema=operation.schema, operation=operation.name, required=operation.required
        )
        call = Call(
            change=change,
            params=params,
            identity=asked.identity,
            account=self._config.secret_key,
            livemode=asked.livemode,
            public=asked.public,
        )
        return listing.expand(change, operation.run(call), params.get("expand", []))


def _refusal(error: ApiError) -> Reply:
    headers = dict(error.headers)
    if error.status >= 500:
        headers["Stripe-Should-Retry"] = "false" if error.saved else "true"
    return Reply(status=error.status, body=shapes.compact({"error": error.error}), headers=headers)


def _api_key(request: Request) -> str:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except ValueError:
            return "?"
    return value.strip() if scheme.lower() == "bearer" else ""


def _flat(raw: Thing, within: str = "") -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in raw.items():
        full = f"{within}[{name}]" if within else name
        pairs.extend(_flat(value, full) if isinstance(value, dict) else [(full, value)])
    return pairs
