"""Reports how far this machine's clock is from Redis's: panels and passes say times by it."""

import asyncio
import socket
from contextlib import suppress
from time import monotonic, time

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from drops.waitingroom.protocol import clocks, keys

REPORT_SECONDS = 300.0  # between two reports of a process
RETRY_SECONDS = 10.0
MAX_ROUND_TRIP_SECONDS = 0.5  # a slower answer says too little about the moment at which it was given


async def report_regularly(redis: AsyncRedis) -> None:
    """Report until cancelled."""
    while True:
        pause = RETRY_SECONDS
        with suppress(RedisError, OSError):  # which the cache's refresh logs
            if await report(redis, machine=socket.gethostname()):
                pause = REPORT_SECONDS
        await asyncio.sleep(pause)


async def report(redis: AsyncRedis, *, machine: str) -> bool:
    """Compare the clocks and leave the reading in Redis; False if Redis was too slow to say.

    Raises: RedisError, OSError.
    """
    began, ours = monotonic(), time()
    theirs = clocks.seconds(await redis.time())
    round_trip = monotonic() - began
    if round_trip > MAX_ROUND_TRIP_SECONDS:
        return False
    await redis.hset(keys.CLOCKS, machine, clocks.field(ours + round_trip / 2 - theirs, now=theirs))
    return True
