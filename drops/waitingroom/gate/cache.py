"""What a gate process knows of the lines: a copy of Redis, at most a second old for whatever was asked for lately.

Statuses, not-yet answers and pages come from here, so the crowd never reaches Redis through them. While Redis is away
the copy is good for another 15 s; whoever asks later is told that the line is unknown.
"""

import asyncio
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from redis.exceptions import RedisError

from drops.waitingroom.protocol import keys, places, status
from drops.waitingroom.protocol.lua import AsyncServer

log = logging.getLogger(__name__)

EVERY = 0.5  # seconds between two looks at Redis
ASKED_LATELY = 10.0  # seconds for which a line is looked at, after somebody asked for it
UNKNOWN_FOR = 1.0  # seconds for which a name that Redis doesn't know isn't asked for again
MOST_UNKNOWN = 10_000  # names; a crawl through made-up ones must not fill the memory


@dataclass(slots=True)
class CachedDrop:
    """One drop's line. `cursor` and what follows are zero or None before there is one."""

    state: dict[bytes, bytes]
    document: bytes
    doc: status.Status | None
    look: dict[str, str]
    cursor: int
    lobby: float
    n: int
    seed: bytes | None
    closed: bool
    paused: bool
    loaded: float = field(default_factory=monotonic)

    def place(self, index: int) -> int | None:
        """Where an index stands; None before the seal is known."""
        return None if self.seed is None else places.place(self.seed, index, self.n)


def parse(state: dict[bytes, bytes], document: bytes | None) -> CachedDrop | None:
    """Make a Line of what Redis holds; None if it holds none."""
    if b"epoch" not in state or b"limit" not in state:
        return None
    try:
        doc = status.decode(document or b"")
    except status.Unreadable:
        doc = None
    seed = state.get(b"seed")
    return CachedDrop(
        state=state,
        document=document or b"",
        doc=doc,
        look=json.loads(state.get(b"look", b"{}")),
        cursor=int(state.get(b"cursor", 0)),
        lobby=float(state.get(b"lobby", 0)),
        n=int(state.get(b"n", 0)),
        seed=bytes.fromhex(seed.decode()) if seed else None,
        closed=state.get(b"closed") == b"1",
        paused=state.get(b"paused") == b"1",
    )


class Cache:
    """The lines that this process knows."""

    def __init__(self, server: AsyncServer) -> None:
        self.server = server
        self.known: dict[str, CachedDrop] = {}
        self.asked: dict[str, float] = {}
        self.unknown: dict[str, float] = {}
        self.loading: dict[str, asyncio.Task[None]] = {}
        self.reachable = True

    async def get(self, slug: str) -> CachedDrop | None:
        """The line of a drop, from memory if it is there. None: Redis doesn't know it, or can't be asked."""
        now = monotonic()
        line = self.known.get(slug)
        if line is not None and now - line.loaded < status.UNKNOWN_AFTER:
            self.asked[slug] = now
            return line
        if self.unknown.get(slug, 0) > now:
            return None
        load = self.loading.get(slug)
        if load is None:
            load = self.loading[slug] = asyncio.create_task(self._load([slug]))
            load.add_done_callback(lambda _: self.loading.pop(slug, None))
        await asyncio.shield(load)
        return self.known.get(slug)

    async def keep_fresh(self) -> None:
        """Look at Redis again and again, for the lines that were asked for lately only. Ends when it is cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            lately = monotonic() - ASKED_LATELY
            for slug in [slug for slug in self.known if self.asked.get(slug, 0) < lately]:
                del self.known[slug]
                self.asked.pop(slug, None)
            if self.known:
                await self._load(list(self.known))

    async def _load(self, slugs: Sequence[str]) -> None:
        try:
            answers = await self._ask(slugs)
        except (RedisError, OSError) as error:
            self._notice(reachable=False, why=str(error))
            answers = [({}, None)] * len(slugs)
        else:
            self._notice(reachable=True)
        for slug, (state, document) in zip(slugs, answers, strict=True):
            self._keep(slug, state, document)

    async def _ask(self, slugs: Sequence[str]) -> list[tuple[dict[bytes, bytes], bytes | None]]:
        pipeline = self.server.pipeline(transaction=False)
        for slug in slugs:
            pipeline.hgetall(keys.state(slug))
            pipeline.get(keys.status(slug))
        found: list[Any] = await pipeline.execute()
        return list(zip(found[::2], found[1::2], strict=True))

    def _keep(self, slug: str, state: dict[bytes, bytes], document: bytes | None) -> None:
        now = monotonic()
        old = self.known.get(slug)
        if old is not None and old.state == state and old.document == (document or b""):
            old.loaded = now
        elif (line := parse(state, document)) is not None:
            self.known[slug] = line
            self.asked.setdefault(slug, now)
            self.unknown.pop(slug, None)
        elif old is None or now - old.loaded >= status.UNKNOWN_AFTER:
            self.known.pop(slug, None)
            if len(self.unknown) >= MOST_UNKNOWN:
                self.unknown.clear()
            self.unknown[slug] = now + UNKNOWN_FOR

    def _notice(self, *, reachable: bool, why: str = "") -> None:
        """Say once that Redis went or came back: thousands of requests a second would each say it."""
        if reachable != self.reachable:
            self.reachable = reachable
            log.warning("the line's Redis is %s", "back" if reachable else f"away: {why}")
