"""A gate process: its configuration, its connections to Redis, and what it keeps in memory."""

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from drops.waitingroom.gate import clock
from drops.waitingroom.gate.batches import JoinBatcher
from drops.waitingroom.gate.cache import DropCache
from drops.waitingroom.gate.pages import Pages
from drops.waitingroom.gate.supervision import Failures, Supervised
from drops.waitingroom.protocol import keys
from drops.waitingroom.protocol.config import GateConfig

MAX_CONNECTIONS = 32
CONNECT_TIMEOUT_SECONDS = 0.5
REPLY_TIMEOUT_SECONDS = 1.0
READINESS_SECONDS = 60  # the key's life


class GateContext:
    """Everything that an endpoint may use. Made and started inside the event loop that serves it."""

    def __init__(self, config: GateConfig) -> None:
        self.config = config
        # One retry, at once: a connection that Redis closed while it was idle is not a failure. Both scripts
        # that are called here may safely run twice.
        pool = BlockingConnectionPool.from_url(
            config.redis_url,
            max_connections=MAX_CONNECTIONS,
            timeout=REPLY_TIMEOUT_SECONDS,
            socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
            socket_timeout=REPLY_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 1),
        )
        self.redis = Redis.from_pool(pool)
        self.failures = Failures()
        self.cache = DropCache(self.redis)
        self.joins = JoinBatcher(self.redis, self.failures)
        self.pages = Pages(config)
        self.refresher = Supervised("Refreshing the drops", self.cache.keep_fresh, self.failures)
        self.clock = Supervised(
            "Reporting the clock", lambda: clock.report_regularly(self.redis), self.failures
        )

    def start(self) -> None:
        """Start refreshing the cache, and reporting the clock.

        A gate starts without Redis, too, and responds 503 until it is reachable.
        """
        self.refresher.start()
        self.clock.start()

    async def stop(self) -> None:
        """Stop refreshing, refuse the joins that still wait, and close the connections to Redis."""
        await self.refresher.stop()
        await self.clock.stop()
        await self.joins.stop()
        await self.redis.aclose()

    async def find_faults(self) -> dict[str, str]:
        """Return what keeps this process from serving, by name. Empty means ready."""
        faults = {}
        if not await self._takes_writes():
            faults["line"] = "Redis takes no writes."
        if not (self.refresher.is_running and self.cache.is_refreshed()):
            faults["cache"] = "The drops aren't being refreshed; refreshing starts again by itself."
        if self.joins.is_failing():
            faults["joins"] = "Joins have just failed unexpectedly; see the log."
        return faults

    async def _takes_writes(self) -> bool:
        """Whether Redis takes writes: one whose memory is full answers a ping, and nobody can join."""
        try:
            await self.redis.set(keys.READINESS, 1, ex=READINESS_SECONDS)
        except (RedisError, OSError):
            return False
        return True
