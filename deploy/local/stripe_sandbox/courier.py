"""Webhooks: each event is signed and sent until the shop takes it, also after a restart.

told ─▶ due ─▶ sent ─▶ 2xx: delivered
         ▲       └─▶ anything else: due again, 1, 2, 4 … 60 s later, for three days
"""

import asyncio
import hashlib
import heapq
import hmac
import itertools
import random
import time

from . import shapes
from .config import Config
from .faults import Faults
from .store import Store
from .wire import Wire

AT_ONCE = 8
ANSWER_SECONDS = 20.0
LONGEST_WAIT_SECONDS = 60.0
GIVE_UP_SECONDS = 3 * 86400


def signature(body: str, *, secrets: tuple[str, ...], at: int) -> str:
    """The Stripe-Signature header: one v1 for each secret (https://docs.stripe.com/webhooks#verify-manually)."""
    signed = f"{at}.{body}".encode()
    marks = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    return ",".join([f"t={at}", *(f"v1={mark}" for mark in marks)])


class Courier:
    def __init__(self, *, config: Config, store: Store, faults: Faults) -> None:
        self._config = config
        self._store = store
        self._faults = faults
        self._wire = Wire(config.webhook_url)
        self._due: list[tuple[float, int, str, int]] = []
        """A heap of: when (monotonic), sequence, event, attempts so far."""
        self._sequence = itertools.count()
        self._woken = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._deliveries: set[asyncio.Task[None]] = set()
        self._bodies: dict[str, str] = {}
        """Of events on their first way; later attempts read the journal."""
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take up what an earlier run left undelivered."""
        self._faults.changed = self._woken.set
        self._loop = asyncio.create_task(self._run())
        oldest = shapes.now() - GIVE_UP_SECONDS
        for event in self._store.undelivered:
            if self._store.created[event] > oldest:
                self._plan(event, wait=0, attempts=0)

    async def stop(self) -> None:
        """What is under way is cut off: the next start sends it again."""
        tasks = [*self._deliveries, *([self._loop] if self._loop else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._wire.close()

    def send(self, events: dict[str, str]) -> None:
        """Deliver new events: id → body."""
        for event, body in events.items():
            self._bodies[event] = body
            for _ in range(1 + self._faults.webhooks.repeat):
                self._plan(event, wait=0, attempts=0)

    def resend(self, event: str) -> None:
        """Deliver an event once more, as Stripe's dashboard can."""
        self._plan(event, wait=0, attempts=0)

    def _plan(self, event: str, *, wait: float, attempts: int) -> None:
        spoilt = self._faults.webhooks
        wait += spoilt.delay + random.uniform(0, spoilt.reorder)
        heapq.heappush(self._due, (time.monotonic() + wait, next(self._sequence), event, attempts))
        self._woken.set()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            wait: float | None = None
            while self._due and not self._faults.webhooks.hold:
                wait = self._due[0][0] - time.monotonic()
                if wait > 0:
                    break
                await self._slots.acquire()
                _, _, event, attempts = heapq.heappop(self._due)
                task = asyncio.create_task(self._deliver(event, attempts))
                self._deliveries.add(task)
                task.add_done_callback(self._deliveries.discard)
            else:
                wait = None
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                continue

    async def _deliver(self, event: str, attempts: int) -> None:
        try:
            body = self._bodies.pop(event, None) or shapes.compact(self._store.event(event))
            headers = {
                "Content-Type": "application/json; charset=utf-8",
                "Stripe-Signature": signature(body, secrets=self._config.webhook_secrets, at=shapes.now()),
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            }
            try:
                status = await self._wire.post(body.encode(), headers, timeout=ANSWER_SECONDS)
            except (OSError, TimeoutError):
                status = 0
        finally:
            self._slots.release()
        if 200 <= status < 300:
            self._store.delivered(event)
        elif self._store.created[event] > shapes.now() - GIVE_UP_SECONDS:
            wait = min(self._config.webhook_retry_seconds * 2.0**attempts, LONGEST_WAIT_SECONDS)
            self._plan(event, wait=wait, attempts=min(attempts + 1, 30))
