"""Stripe's rate limits: a number of requests a second in all, and another for each endpoint."""

import time

from . import errors


class TokenBucket:
    """Holds the requests of one second and refills steadily."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._level = rate
        self._refilled_at = time.monotonic()

    def has_token(self, now: float) -> bool:
        """Refill for the time that has passed, then return whether one more request fits."""
        self._level = min(self._rate, self._level + (now - self._refilled_at) * self._rate)
        self._refilled_at = now
        return self._level >= 1

    def take(self) -> None:
        self._level -= 1


class RateLimits:
    def __init__(self, *, rate: float, rate_per_endpoint: float) -> None:
        self._global = TokenBucket(rate)
        self._rate_per_endpoint = rate_per_endpoint
        self._endpoints: dict[str, TokenBucket] = {}

    def acquire(self, endpoint: str) -> None:
        """Count one request. Raises ApiError (429) above a limit; a request that is refused isn't counted."""
        now = time.monotonic()
        bucket = self._endpoints.setdefault(endpoint, TokenBucket(self._rate_per_endpoint))
        if not self._global.has_token(now):
            raise errors.rate_limited("global-rate")
        if not bucket.has_token(now):
            raise errors.rate_limited("endpoint-rate")
        self._global.take()
        bucket.take()
