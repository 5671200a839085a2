"""Joins that arrive together become one call of the script per drop.

While a call is under way the next ones gather, so a crowd costs Redis one command per round trip and process.
"""

import asyncio

from redis.exceptions import RedisError

from drops.waitingroom.protocol import lua

LARGEST_BATCH = 500  # client keys in one call: Lua's stack and Redis' other clients must bear it

Outcome = int | lua.ScriptRefused | RedisError | OSError
Waiting = list[tuple[str, "asyncio.Future[Outcome]"]]


class Joins:
    """Those who wait for an index, by drop."""

    def __init__(self, server: lua.AsyncServer) -> None:
        self.server = server
        self.waiting: dict[str, Waiting] = {}
        self.working: dict[str, asyncio.Task[None]] = {}

    async def index(self, slug: str, client: str) -> int:
        """The index of a client key (32 hex digits). Raises: lua.Refused, RedisError, OSError."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(slug, []).append((client, future))
        if slug not in self.working:
            self.working[slug] = asyncio.create_task(self._work(slug))
        outcome = await future
        if isinstance(outcome, int):
            return outcome
        raise outcome.with_traceback(None)  # the whole batch shares it

    async def _work(self, slug: str) -> None:
        try:
            while batch := self.waiting.pop(slug, None):
                if len(batch) > LARGEST_BATCH:
                    self.waiting[slug] = batch[LARGEST_BATCH:]
                    batch = batch[:LARGEST_BATCH]
                for (_, future), outcome in zip(batch, await self._outcomes(slug, batch), strict=True):
                    if not future.done():  # else its shopper has hung up
                        future.set_result(outcome)
        finally:
            del self.working[slug]

    async def _outcomes(self, slug: str, batch: Waiting) -> list[Outcome]:
        call = lua.join_call(slug, [client for client, _ in batch])
        try:
            indices = await lua.run_async(self.server, *call)
        except (lua.ScriptRefused, RedisError, OSError) as error:
            return [error] * len(batch)
        return [index if index >= 0 else lua.Full() for index in indices]
