"""Joins that arrive together become one call of the join script per drop.

While a call is under way the next joins gather: a crowd costs Redis one command per round trip and process.
Joins that don't fit below the counter's limit wait, in order, for the gatekeeper to raise it.
"""

import asyncio
from dataclasses import dataclass

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from drops.waitingroom.gate.supervision import Failures
from drops.waitingroom.protocol import lua

MAX_JOINS_PER_CALL = 500  # bounded by Lua's stack, and by how long Redis' other clients may wait

HOLD_SECONDS = 2.0  # for which a join waits at the counter's limit: it is raised once a second
LIMIT_POLL_SECONDS = 0.1  # between two calls meanwhile

FAILING_SECONDS = 5.0  # after an unexpected failure, for which the process isn't ready

Outcome = int | Exception


class JoinsStopped(OSError):
    """A batch ended without an answer from Redis. The same client key gets its index at the next try."""


@dataclass(frozen=True, slots=True)
class Join:
    """A client key, what became of it, and when it came (by the loop's clock)."""

    client: str
    outcome: "asyncio.Future[Outcome]"
    came_at: float


class JoinBatcher:
    """Joins that wait for an index, by drop."""

    def __init__(self, redis: AsyncRedis, failures: Failures) -> None:
        self.redis = redis
        self.failures = failures
        self.failed_at: float | None = None  # by the loop's clock: when a batch last failed unexpectedly
        self.waiting: dict[str, list[Join]] = {}
        self.workers: dict[str, asyncio.Task[None]] = {}
        self.limited_since: dict[str, float] = {}  # drops whose counter is at its limit

    async def index(self, slug: str, client: str) -> int:
        """Return the index of a client key (32 hex digits).

        Raises: lua.ScriptRefused, RedisError, OSError.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self.waiting.setdefault(slug, []).append(Join(client, future, loop.time()))
        if slug not in self.workers:
            self.workers[slug] = asyncio.create_task(self._work(slug))
        outcome = await future
        if isinstance(outcome, int):
            return outcome
        # The whole batch shares the exception: without this, each join would lengthen its traceback.
        raise outcome.with_traceback(None)

    async def _work(self, slug: str) -> None:
        """Send batch after batch until no join of the drop is waiting. However it ends, each is answered."""
        batch: list[Join] = []
        try:
            while slug in self.waiting:
                batch = self._take(slug)
                if not batch:
                    continue  # every shopper has hung up
                outcomes = await self._send(slug, [join.client for join in batch])
                held = self._resolve(batch, outcomes)
                if held:
                    self.waiting[slug] = held + self.waiting.get(slug, [])
                    await self._wait_for_limit(slug)
                else:
                    self.limited_since.pop(slug, None)
        except Exception as error:  # noqa: BLE001 logged and counted there
            self._note_failure(slug, error)
        finally:
            del self.workers[slug]
            self.limited_since.pop(slug, None)
            # Nobody is left behind by a failure, nor when the process stops; a retry gets the same index.
            for join in [*batch, *self.waiting.pop(slug, [])]:
                if not join.outcome.done():
                    join.outcome.set_result(JoinsStopped())

    def _note_failure(self, slug: str, error: Exception) -> None:
        self.failed_at = asyncio.get_running_loop().time()
        self.failures.record(f"A batch of joins failed unexpectedly (drop {slug})", error)

    def is_failing(self) -> bool:
        """Whether a batch failed unexpectedly just now."""
        now = asyncio.get_running_loop().time()
        return self.failed_at is not None and now - self.failed_at < FAILING_SECONDS

    async def stop(self) -> None:
        """Refuse the joins that still wait."""
        workers = list(self.workers.values())
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def _take(self, slug: str) -> list[Join]:
        """Return the next joins, without those of shoppers who have hung up."""
        waiting = [join for join in self.waiting.pop(slug) if not join.outcome.done()]
        batch, rest = waiting[:MAX_JOINS_PER_CALL], waiting[MAX_JOINS_PER_CALL:]
        if rest:
            self.waiting[slug] = rest
        return batch

    def _resolve(self, batch: list[Join], outcomes: list[Outcome]) -> list[Join]:
        """Resolve each join with its outcome. Return those that go on waiting at the counter's limit."""
        held = []
        for join, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, lua.CounterLimitReached):
                held.append(join)
            elif not join.outcome.done():  # otherwise the shopper has hung up
                join.outcome.set_result(outcome)
        return held

    async def _wait_for_limit(self, slug: str) -> None:
        """Wait for LIMIT_POLL_SECONDS, then refuse the joins that have waited for HOLD_SECONDS."""
        loop = asyncio.get_running_loop()
        since = self.limited_since.setdefault(slug, loop.time())
        await asyncio.sleep(LIMIT_POLL_SECONDS)
        waiting = []
        for join in self.waiting.pop(slug):
            if max(join.came_at, since) + HOLD_SECONDS > loop.time():
                waiting.append(join)
            elif not join.outcome.done():
                join.outcome.set_result(lua.CounterLimitReached())
        if waiting:
            self.waiting[slug] = waiting

    async def _send(self, slug: str, clients: list[str]) -> list[Outcome]:
        """Run the join script.

        Return an outcome for each client key, whatever happens: none may wait for ever.
        """
        try:
            indices = await lua.run_async(self.redis, *lua.join_call(slug, clients))
            if len(indices) != len(clients):
                raise ValueError(f"{len(indices)} indices for {len(clients)} joins")
            return [index if index >= 0 else lua.CounterLimitReached() for index in indices]
        except (lua.ScriptRefused, RedisError, OSError) as error:
            return [error] * len(clients)
        except Exception as error:  # noqa: BLE001 logged and counted there
            self._note_failure(slug, error)
            return [JoinsStopped()] * len(clients)
