"""A gatekeeper that is driven tick by tick, and what its Redis holds."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from redis import Redis

from drops.models import Checkpoint, Drop
from drops.waitingroom.gatekeeper.loop import Gatekeeper
from drops.waitingroom.protocol import keys, lua, status


class Clock:
    """A monotonic clock that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Driven:
    """A gatekeeper in the test's hands."""

    def __init__(self, redis: Redis, holder: str = "a") -> None:
        self.redis = redis
        self.clock = Clock()
        self.keeper = Gatekeeper(redis=redis, holder=holder, clock=self.clock)
        self.joined = 0

    def tick(self, seconds: float = 60.0) -> float:
        """Run one tick, that long after the last by the gatekeeper's own clock."""
        self.clock.now += seconds
        return self.keeper.run_once()

    def state(self, drop: Drop) -> dict[str, str]:
        return lua.read_state(self.redis, drop.slug).fields

    def document(self, drop: Drop) -> status.Status:
        text: Any = self.redis.get(keys.status(drop.slug))
        return status.decode(text)

    def join(self, drop: Drop, count: int) -> list[int]:
        """Let new shoppers join; return their indices."""
        first, self.joined = self.joined, self.joined + count
        return lua.join(self.redis, drop.slug, [f"{n:032x}" for n in range(first, self.joined)])

    def enter(self, drop: Drop, places: range) -> int:
        """Let those places enter; return how many did."""
        inside = 0
        for place in places:
            try:
                lua.enter(self.redis, drop.slug, index=place, place=place)
            except lua.ScriptRefused:
                continue
            inside += 1
        return inside


@pytest.fixture
def driven(transactional_db: None, line_redis: Redis) -> Driven:
    return Driven(line_redis)


@pytest.fixture
def another(transactional_db: None, line_redis: Redis) -> Driven:
    return Driven(line_redis, holder="b")


@pytest.fixture
def window() -> Callable[[], None]:
    """Let the call window pass, by moving the last step back in the committed rows."""

    def passes() -> None:
        Checkpoint.objects.update(cursor_moved_at=timezone.now() - timedelta(seconds=3))

    return passes
