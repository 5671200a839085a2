"""Webhook delivery: every event is signed and sent until the shop accepts it, across restarts too.

emitted ─▶ queued ─▶ sent ─▶ 2xx: delivered
             ▲        └─▶ anything else: queued again 1, 2, 4 … 60 s later, for three days
"""

import asyncio
import hashlib
import heapq
import hmac
import itertools
import random
import time
from typing import NamedTuple

import aiohttp

from . import objects
from .config import Config
from .faults import FaultInjector
from .store import Store

MAX_CONCURRENT_DELIVERIES = 8
RESPONSE_TIMEOUT_SECONDS = 20.0
"""For a whole delivery, from connecting to the end of the response's body."""
MAX_RETRY_WAIT_SECONDS = 60.0
RETRY_PERIOD_SECONDS = 3 * 86400


class QueuedDelivery(NamedTuple):
    due_at: float
    """On the monotonic clock. It comes first, so that the heap is ordered by time."""
    sequence: int
    """Keeps the order of deliveries that are due at the same time."""
    event_id: str
    attempts: int


class WebhookSender:
    """Made inside the running event loop, which its HTTP session needs."""

    def __init__(self, *, config: Config, store: Store, faults: FaultInjector) -> None:
        self._config = config
        self._store = store
        self._faults = faults
        self._queue: list[QueuedDelivery] = []
        self._sequence = itertools.count()
        self._wakeup = asyncio.Event()
        self._slots = asyncio.Semaphore(MAX_CONCURRENT_DELIVERIES)
        self._deliveries: set[asyncio.Task[None]] = set()
        self._bodies: dict[str, str] = {}
        """Bodies of events that have not been sent yet. Retries read theirs from the log."""
        self._session = open_session()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver, first what an earlier run left undelivered."""
        self._faults.on_webhooks_changed = self._wakeup.set
        self._loop = asyncio.create_task(self._run())
        oldest = objects.unix_time() - RETRY_PERIOD_SECONDS
        for event_id in self._store.undelivered:
            if self._store.created[event_id] > oldest:
                self._enqueue(event_id, wait=0, attempts=0)

    async def stop(self) -> None:
        """Cancel deliveries in progress; the next start repeats them."""
        tasks = list(self._deliveries)
        if self._loop:
            tasks.append(self._loop)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    def send(self, events: dict[str, str]) -> None:
        """Queue new events, given as id → body."""
        for event_id, body in events.items():
            self._bodies[event_id] = body
            for _ in range(1 + self._faults.webhooks.repeat):
                self._enqueue(event_id, wait=0, attempts=0)

    def resend(self, event_id: str) -> None:
        """Queue an event again, as a click in Stripe's dashboard does."""
        self._enqueue(event_id, wait=0, attempts=0)

    def _enqueue(self, event_id: str, *, wait: float, attempts: int) -> None:
        faults = self._faults.webhooks
        wait += faults.delay + random.uniform(0, faults.reorder)
        heapq.heappush(
            self._queue, QueuedDelivery(time.monotonic() + wait, next(self._sequence), event_id, attempts)
        )
        self._wakeup.set()

    async def _run(self) -> None:
        while True:
            self._wakeup.clear()
            next_wait = await self._start_due_deliveries()
            try:
                async with asyncio.timeout(next_wait):
                    await self._wakeup.wait()
            except TimeoutError:
                continue

    async def _start_due_deliveries(self) -> float | None:
        """Return the seconds until the next delivery; None if none is queued or all are held."""
        while self._queue and not self._faults.webhooks.hold:
            wait = self._queue[0].due_at - time.monotonic()
            if wait > 0:
                return wait
            await self._slots.acquire()
            delivery = heapq.heappop(self._queue)
            task = asyncio.create_task(self._deliver(delivery.event_id, delivery.attempts))
            # The event loop keeps only a weak reference to a task.
            self._deliveries.add(task)
            task.add_done_callback(self._deliveries.discard)
        return None

    async def _deliver(self, event_id: str, attempts: int) -> None:
        try:
            status = await self._post(event_id)
        finally:
            self._slots.release()
        if 200 <= status < 300:
            self._store.mark_delivered(event_id)
        elif self._store.created[event_id] > objects.unix_time() - RETRY_PERIOD_SECONDS:
            wait = min(self._config.webhook_retry_seconds * 2.0**attempts, MAX_RETRY_WAIT_SECONDS)
            # Capped, so that the power of two stays a small number.
            self._enqueue(event_id, wait=wait, attempts=min(attempts + 1, 30))

    async def _post(self, event_id: str) -> int:
        body = self._bodies.pop(event_id, None) or objects.to_json(self._store.get_event(event_id))
        signature = signature_header(
            body, secrets=self._config.webhook_secrets, timestamp=objects.unix_time()
        )
        return await post(self._session, self._config.webhook_url, body=body, signature=signature)


def signature_header(body: str, *, secrets: tuple[str, ...], timestamp: int) -> str:
    """Return the Stripe-Signature header, with a `v1` for each secret.

    https://docs.stripe.com/webhooks#verify-manually
    """
    payload = f"{timestamp}.{body}".encode()
    signatures = [hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={timestamp}", *(f"v1={signature}" for signature in signatures)])


def open_session() -> aiohttp.ClientSession:
    """Return an HTTP session that keeps connections alive and no cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=MAX_CONCURRENT_DELIVERIES),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=RESPONSE_TIMEOUT_SECONDS),
    )


async def post(session: aiohttp.ClientSession, url: str, *, body: str, signature: str) -> int:
    """Return the response's status, or 0 without a complete response in time. Redirects aren't followed."""
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": signature,
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    try:
        async with session.post(url, data=body.encode(), headers=headers, allow_redirects=False) as response:
            # Reading to the end lets the connection be used again.
            await response.read()
            return response.status
    except (aiohttp.ClientError, TimeoutError, OSError):
        return 0
