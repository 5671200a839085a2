"""A gate process's copy of the drops in Redis, at most a second old for every drop that is asked for.

Statuses, refusals to enter and pages come from here, so the crowd never reaches Redis through them. While
Redis is unreachable the copy is good for another 15 s; after that the gate answers 503.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from redis.asyncio import Redis as AsyncRedis
from redis.exceptions import RedisError

from drops.waitingroom.protocol import keys, places, status

log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.5
STALLED_SECONDS = 5.0  # without a round of refreshing for that long, this process isn't ready
EVICT_SECONDS = 10.0  # after the last request for a drop
UNKNOWN_SECONDS = 1.0  # for which Redis isn't asked again for a slug that it doesn't know
MAX_UNKNOWN_SLUGS = 10_000  # a crawl through made-up slugs must not fill the memory


@dataclass(slots=True)
class CachedDrop:
    """A drop's waiting room as Redis has it.

    `cursor` and what follows are zero or None until they are known.
    """

    fields: dict[bytes, bytes]
    status_json: bytes
    status: status.Status | None  # None: there is no readable document
    theme: dict[str, str]
    cursor: int
    lobby_opens: float
    n: int
    seed: bytes | None
    closed: bool
    paused: bool
    loaded_at: float = field(default_factory=monotonic)
    changed_at: float = field(default_factory=monotonic)  # while a drop runs, every tick changes it

    @property
    def is_silent(self) -> bool:
        """Whether nothing has been published for so long that nobody decides who may enter.

        By this process's own clock: those of machines differ.
        """
        return monotonic() - self.changed_at > status.FRESH_SECONDS

    def place(self, index: int) -> int | None:
        """Return an index's place; None before the seal is known."""
        if self.seed is None:
            return None
        return places.place(self.seed, index, self.n)


def parse(fields: dict[bytes, bytes], status_json: bytes | None) -> CachedDrop | None:
    """Return a drop as read from Redis; None if Redis doesn't have it."""
    if b"epoch" not in fields or b"limit" not in fields:
        return None
    try:
        document = status.decode(status_json or b"")
    except status.UnreadableStatus:
        document = None
    seed = None
    if fields.get(b"seed"):
        seed = bytes.fromhex(fields[b"seed"].decode())
    return CachedDrop(
        fields=fields,
        status_json=status_json or b"",
        status=document,
        theme=json.loads(fields.get(b"look", b"{}")),
        cursor=int(fields.get(b"cursor", 0)),
        lobby_opens=float(fields.get(b"lobby", 0)),
        n=int(fields.get(b"n", 0)),
        seed=seed,
        closed=fields.get(b"closed") == b"1",
        paused=fields.get(b"paused") == b"1",
    )


class DropCache:
    """The drops that this process has in memory."""

    def __init__(self, redis: AsyncRedis) -> None:
        self.redis = redis
        self.drops: dict[str, CachedDrop] = {}
        self.announced: frozenset[str] | None = None  # None: the list is missing
        self.announced_at = 0.0  # when it was read
        self.requested_at: dict[str, float] = {}
        self.unknown_until: dict[str, float] = {}
        self.loads: dict[str, asyncio.Task[None]] = {}
        self.unreadable: set[str] = set()
        self.reachable = True
        self.refreshed_at = monotonic()

    async def get(self, slug: str) -> CachedDrop | None:
        """Return a drop, from memory if it is there; None if Redis doesn't know it or is unreachable."""
        now = monotonic()
        drop = self.drops.get(slug)
        if drop is not None and now - drop.loaded_at < status.FRESH_SECONDS:
            self.requested_at[slug] = now
            return drop
        if self.unknown_until.get(slug, 0) > now:
            return None
        load = self.loads.get(slug)
        if load is None:
            load = self.loads[slug] = asyncio.create_task(self._load([slug]))
            load.add_done_callback(lambda _: self.loads.pop(slug, None))
        # Shielded: a shopper who hangs up must not cancel the load that others wait for.
        await asyncio.shield(load)
        return self.drops.get(slug)

    async def is_unknown(self, slug: str) -> bool:
        """Whether no announced drop has this slug. False, too, while that can't be told."""
        if not self._has_list():
            await self.get(slug)  # reads the list as well
        if not self._has_list() or self.announced is None:
            return False
        return slug not in self.announced and slug not in self.drops

    def _has_list(self) -> bool:
        """Whether the list of announced drops is here, and recent."""
        return self.announced is not None and monotonic() - self.announced_at < status.FRESH_SECONDS

    async def keep_fresh(self) -> None:
        """Refresh the drops that are asked for, until cancelled.

        An unexpected error is logged; it goes on.
        """
        failing = False
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                async with asyncio.timeout(STALLED_SECONDS):
                    await self.refresh()
            except Exception:
                # Logged once, not twice a second.
                if not failing:
                    log.exception("The cache can't be refreshed; retrying")
                failing = True
            else:
                failing = False
                self.refreshed_at = monotonic()

    def is_refreshed(self) -> bool:
        """Whether refreshing works: its last round, with or without Redis, ended a moment ago."""
        return monotonic() - self.refreshed_at < STALLED_SECONDS

    async def refresh(self) -> None:
        """Evict the drops that nobody has asked for lately, and read the others and the list again."""
        since = monotonic() - EVICT_SECONDS
        for slug in list(self.drops):
            if self.requested_at.get(slug, 0) < since:
                del self.drops[slug]
                self.requested_at.pop(slug, None)
        await self._load(list(self.drops))

    async def _load(self, slugs: Sequence[str]) -> None:
        try:
            found = await self._fetch(slugs)
        except (RedisError, OSError) as error:
            self._note_reachable(reachable=False, why=str(error))
            found = [({}, None)] * len(slugs)
        else:
            self._note_reachable(reachable=True)
        for slug, (fields, status_json) in zip(slugs, found, strict=True):
            self._store(slug, fields, status_json)

    async def _fetch(self, slugs: Sequence[str]) -> list[tuple[dict[bytes, bytes], bytes | None]]:
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.smembers(keys.ANNOUNCED)
        for slug in slugs:
            pipeline.hgetall(keys.state(slug))
            pipeline.get(keys.status(slug))
        found: list[Any] = await pipeline.execute()
        announced: set[bytes] = found.pop(0)
        self.announced_at = monotonic()
        self.announced = None
        if announced:
            self.announced = frozenset(slug.decode() for slug in announced)
        return list(zip(found[::2], found[1::2], strict=True))

    def _store(self, slug: str, fields: dict[bytes, bytes], status_json: bytes | None) -> None:
        now = monotonic()
        old = self.drops.get(slug)
        if old is not None and old.fields == fields and old.status_json == (status_json or b""):
            old.loaded_at = now
            return
        drop = self._parse(slug, fields, status_json)
        if drop is not None:
            self.drops[slug] = drop
            self.requested_at.setdefault(slug, now)
            self.unknown_until.pop(slug, None)
        elif old is None or now - old.loaded_at >= status.FRESH_SECONDS:
            self.drops.pop(slug, None)
            if len(self.unknown_until) >= MAX_UNKNOWN_SLUGS:
                self.unknown_until.clear()
            self.unknown_until[slug] = now + UNKNOWN_SECONDS

    def _parse(self, slug: str, fields: dict[bytes, bytes], status_json: bytes | None) -> CachedDrop | None:
        """Parse a drop. An unreadable one counts as unknown, so that the others can still be read."""
        try:
            drop = parse(fields, status_json)
        except ValueError:
            if slug not in self.unreadable:
                log.exception("What Redis holds of drop %s is unreadable", slug)
            self.unreadable.add(slug)
            return None
        self.unreadable.discard(slug)
        return drop

    def _note_reachable(self, *, reachable: bool, why: str = "") -> None:
        """Log that Redis went or came back, once: thousands of requests a second would each log it."""
        if reachable == self.reachable:
            return
        self.reachable = reachable
        if reachable:
            log.warning("The waiting room's Redis is reachable again")
        else:
            log.warning("The waiting room's Redis is unreachable: %s", why)
