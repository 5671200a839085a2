"""The two Redis servers: whether they take writes, and the alert if one doesn't.

A server whose memory is full, or that has become a replica, still answers a ping. Nothing can be written to
it: nobody joins the line, or no task is enqueued.
"""

import logging
from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from shop.core import alerts

log = logging.getLogger(__name__)

ANSWER_SECONDS = 1.0
KEY, KEY_SECONDS = "dropsite:readiness", 60
CONSEQUENCES = {
    "LINE_REDIS_URL": "Nobody can join the line or enter; places are kept.",
    "BROKER_URL": "Workers get no tasks: orders, emails and pre-scaling stand still.",
}


class WriteRefused(Exception):
    """A server can't be written to; the text says why, in one sentence."""


def check_write(url: str) -> None:
    """Write one small key to the server at that address. Raises WriteRefused."""
    try:
        client(url).set(KEY, 1, ex=KEY_SECONDS)
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise WriteRefused(f"Redis doesn't answer ({type(error).__name__}).") from error
    except redis.RedisError as error:
        raise WriteRefused(f"Redis refuses writes ({type(error).__name__}).") from error


@cache
def client(url: str) -> redis.Redis:
    """Return the client of a server; it reconnects by itself, and never makes its caller wait for a retry."""
    return redis.Redis.from_url(
        url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS, retry=Retry(NoBackoff(), 0)
    )


class Watch:
    """Alerts about both servers, written when they change rather than with every check."""

    def __init__(self) -> None:
        self.messages: dict[str, str] = {}  # as last written, by subject; empty: resolved

    def check(self) -> bool:
        """Check both servers; return whether an alert is new."""
        new = [self._check(setting) for setting in CONSEQUENCES]
        return any(new)

    def _check(self, setting: str) -> bool:
        message = ""
        try:
            check_write(getattr(settings, setting))
        except WriteRefused as refused:
            consequence = CONSEQUENCES[setting]
            message = f"{refused} {consequence} Check the server at {setting}, and its memory."
        subject = f"redis:{setting}"
        # The process before this one may have left an alert open, so the first check always writes.
        if self.messages.get(subject) == message:
            return False
        if message:
            alerts.raise_alert(source="redis", subject=subject, message=message)
        else:
            alerts.resolve(subject=subject)
        self.messages[subject] = message
        return bool(message)
