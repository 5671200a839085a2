"""Joins that arrive together become one call of the join script per drop.

While a call is under way the next joins gather: a crowd costs Redis one command per round trip and process.
"""

import asyncio
import logging

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from drops.waitingroom.protocol import lua

log = logging.getLogger(__name__)

MAX_JOINS_PER_CALL = 500  # bounded by Lua's stack, and by how long Redis' other clients may wait

Outcome = int | Exception
Join = tuple[str, "asyncio.Future[Outcome]"]  # a client key, and what became of it


class JoinBatcher:
    """Joins that wait for an index, by drop."""

    def __init__(self, redis: AsyncRedis) -> None:
        self.redis = redis
        self.waiting: dict[str, list[Join]] = {}
        self.workers: dict[str, asyncio.Task[None]] = {}

    async def index(self, slug: str, client: str) -> int:
        """Return the index of a client key (32 hex digits).

        Raises: lua.ScriptRefused, RedisError, OSError, or whatever else the batch failed with.
        """
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(slug, []).append((client, future))
        if slug not in self.workers:
            self.workers[slug] = asyncio.create_task(self._work(slug))
        outcome = await future
        if isinstance(outcome, int):
            return outcome
        # The whole batch shares the exception: without this, each join would lengthen its traceback.
        raise outcome.with_traceback(None)

    async def _work(self, slug: str) -> None:
        """Send batch after batch until no join of the drop is waiting."""
        try:
            while slug in self.waiting:
                waiting = self.waiting.pop(slug)
                batch, rest = waiting[:MAX_JOINS_PER_CALL], waiting[MAX_JOINS_PER_CALL:]
                if rest:
                    self.waiting[slug] = rest
                outcomes = await self._send(slug, [client for client, _ in batch])
                for (_, future), outcome in zip(batch, outcomes, strict=True):
                    if not future.done():  # otherwise the shopper has hung up
                        future.set_result(outcome)
        finally:
            del self.workers[slug]

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
        except Exception as error:
            log.exception("A batch of joins failed unexpectedly (drop %s)", slug)
            return [error] * len(clients)
