"""Records the clocks of the machines that know no database: Redis, and the gates, which report to it."""

from django.db import connection
from redis import Redis

from drops.waitingroom.protocol import clocks, keys
from shop.core import clock_skew

REDIS_NAME = "the line's Redis"


def record(redis: Redis) -> None:
    """Record how far each of these clocks is from the database's. Raises: RedisError, django.db.Error."""
    pipeline = redis.pipeline(transaction=False)
    pipeline.hgetall(keys.CLOCKS)
    pipeline.time()
    fields, reply = pipeline.execute()
    theirs = clocks.seconds(reply)
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        redis_ahead = theirs - float(cursor.fetchone()[0])
    clock_skew.record(machine=REDIS_NAME, skew_seconds=redis_ahead)
    for reading in clocks.recent(fields, now=theirs):
        clock_skew.record(machine=reading.machine, skew_seconds=reading.ahead_seconds + redis_ahead)
