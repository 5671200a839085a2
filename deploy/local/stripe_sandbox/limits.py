"""Stripe's rate limits: so many requests a second in all, and so many for each endpoint."""

import time

from . import errors


class Bucket:
    """Holds one second's worth, refilled steadily."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._level = rate
        self._at = time.monotonic()

    def holds(self, now: float) -> bool:
        self._level = min(self._rate, self._level + (now - self._at) * self._rate)
        self._at = now
        return self._level >= 1

    def take(self) -> None:
        self._level -= 1


class Limits:
    def __init__(self, *, rate: float, rate_per_endpoint: float) -> None:
        self._all = Bucket(rate)
        self._rate_per_endpoint = rate_per_endpoint
        self._endpoints: dict[str, Bucket] = {}

    def admit(self, endpoint: str) -> None:
        """Count one request. Raises ApiError (429) when it comes too fast; a refused one is not counted."""
        now = time.monotonic()
        bucket = self._endpoints.setdefault(endpoint, Bucket(self._rate_per_endpoint))
        if not self._all.holds(now):
            raise errors.too_fast("global-rate")
        if not bucket.holds(now):
            raise errors.too_fast("endpoint-rate")
        self._all.take()
        bucket.take()
