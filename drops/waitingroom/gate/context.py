"""A gate process: its configuration, its connection to Redis, and what it keeps in memory."""

import asyncio
from contextlib import suppress

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from drops.waitingroom.gate.batches import Joins
from drops.waitingroom.gate.cache import Cache
from drops.waitingroom.gate.pages import Pages
from drops.waitingroom.protocol.config import Config

CONNECTIONS = 32
CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 1.0


class GateContext:
    """Everything that an endpoint may use. Made and started inside the event loop that serves it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        # One repeat, at once: a connection that Redis dropped while it was idle is no failure. Both scripts that are
        # called here may be run twice.
        pool = BlockingConnectionPool.from_url(
            config.redis_url,
            max_connections=CONNECTIONS,
            timeout=ANSWER_SECONDS,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self.server = Redis.from_pool(pool)
        self.lines = Cache(self.server)
        self.joins = Joins(self.server)
        self.pages = Pages(config)
        self.fresh: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look at Redis. A gate starts without Redis, too, and answers 503 until it is there."""
        self.fresh = asyncio.create_task(self.lines.keep_fresh())

    async def stop(self) -> None:
        """Let go of Redis."""
        if self.fresh is not None:
            self.fresh.cancel()
            with suppress(asyncio.CancelledError):
                await self.fresh
        await self.server.aclose()

    async def is_healthy(self) -> bool:
        """Whether Redis answers."""
        try:
            await self.server.ping()
        except (RedisError, OSError):
            return False
        return True
