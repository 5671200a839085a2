"""The gatekeeper's loop: one leader looks after all drops; Postgres first, Redis second.

A tick reads the drops and what Redis knows of their lines, decides, commits the checkpoints in one guarded statement,
and only then tells Redis. Whatever dies in between, the next tick, of whichever gatekeeper, goes on from the commit.

The seal takes three steps: Redis closes the lobby and says N, revealing nothing; Postgres commits N by its own clock;
then the secret is published.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event
from uuid import UUID

from django.db import Error, InterfaceError, OperationalError, connection
from django.db.models import prefetch_related_objects
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from drops import drop_actions, lifecycle
from drops.lifecycle import Phase
from drops.models import Edition
from drops.waitingroom.gatekeeper import checkpoints, decision, leader, publishing, snapshots
from drops.waitingroom.gatekeeper.decision import JoinRate
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot
from drops.waitingroom.protocol import lua

logger = logging.getLogger(__name__)

RUNNING_TICK_SECONDS = 1.0  # between ticks while a drop runs
IDLE_TICK_SECONDS = 2.5  # otherwise; below the lease of the lead
IDLE_PUBLISH_SECONDS = 10.0  # between the documents of a drop that does not run
CLEANUP_SECONDS = 60.0


@dataclass
class DropMemory:
    """What the leader remembers of a drop from tick to tick; all of it can be done without."""

    editions: list[Edition] = field(default_factory=list)
    phase: Phase | None = None  # as last told
    told_at: float = 0.0  # monotonic
    count: JoinRate = field(default_factory=JoinRate)


def connect(url: str) -> Redis:
    """Reach the line's Redis, briefly: a tick that waits for it would lose the lead, and the next one tries again."""
    return Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))


class Gatekeeper:
    """One gatekeeper, leading or standing by. `tick` does one round, `run` goes on until it is told to stop."""

    def __init__(self, *, redis: Redis, holder: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.redis = redis
        self.holder = holder
        self.clock = clock
        self.term: int | None = None
        self.above = 0  # the newest term that Redis knows of, should Postgres have been put back to an older state
        self.memory: dict[UUID, DropMemory] = {}
        self.faults: set[str] = set()
        self.forgot_at = clock()

    def run(self, stop: Event) -> None:
        """Tick until `stop` is set, then let another gatekeeper take over at once."""
        wait = 0.0
        while not stop.wait(wait):
            began = self.clock()
            wait = max(0.02, self.tick_safely() - (self.clock() - began))
        self.step_down()

    def tick_safely(self) -> float:
        """Do one round; without Postgres, do nothing but try again. Returns seconds until the next is due."""
        try:
            wait = self.tick()
        except (OperationalError, InterfaceError) as error:
            self.fault("Postgres", error)
            connection.close()
            return RUNNING_TICK_SECONDS
        self.mended("Postgres")
        return wait

    def tick(self) -> float:
        """Do one round. Returns seconds until the next is due, counted from its beginning."""
        if self.term is None:
            self.term, seconds = leader.acquire(holder=self.holder, above=self.above)
            self.memory.clear()
        if self.term is None:
            return min(IDLE_TICK_SECONDS, max(0.1, seconds))
        every = snapshots.read_drops()
        due = [row for row in every if self.is_due(row)]
        try:
            self.look_after(due, every) if due else self.keep_lead()
            self.forget()
        except checkpoints.LeadershipLost:
            self.lose_lead()
        return seconds_to_next_tick(every)

    # --- the lead

    def keep_lead(self) -> None:
        if not leader.renew(term=self.leading()):
            raise checkpoints.LeadershipLost

    def leading(self) -> int:
        if self.term is None:
            raise checkpoints.LeadershipLost
        return self.term

    def lose_lead(self) -> None:
        logger.warning("Another gatekeeper leads; this one (%s) stands by.", self.holder)
        self.term = None

    def step_down(self) -> None:
        """Give the lead back, if this one has it and Postgres answers."""
        try:
            if self.term is not None:
                leader.release(term=self.term)
        except Error as error:
            self.fault("Postgres", error)
        self.term = None

    # --- one round

    def is_due(self, row: DropSnapshot) -> bool:
        """A running drop every time; others when their phase changed, and now and then."""
        memory = self.memory.setdefault(row.drop.pk, DropMemory())
        if row.phase in lifecycle.RUNNING_PHASES or row.phase != memory.phase:
            return True
        return self.clock() - memory.told_at >= IDLE_PUBLISH_SECONDS

    def look_after(self, due: Sequence[DropSnapshot], every: Sequence[DropSnapshot]) -> None:
        """Look, decide, commit, tell. Raises: commits.LeadLost."""
        self.remember_editions(due)
        self.look(due)
        snapshots.count_stock_and_holds(due=due, every=every)
        for row in due:
            decision.update_counter(row, self.memory[row.drop.pk].count)
        decision.decide(due, every)
        checkpoints.commit(term=self.leading(), checkpoints=[row.checkpoint for row in due])
        for row in due:
            record_ending(row)
        with self.redis_faults():
            for row in due:
                if row.seen is not None:
                    self.tell(row)

    def remember_editions(self, due: Sequence[DropSnapshot]) -> None:
        """Read the editions of drops that are new or changed their phase; they don't change otherwise."""
        fresh = [row.drop for row in due if self.memory[row.drop.pk].phase != row.phase]
        prefetch_related_objects(fresh, "editions__variant")
        for drop in fresh:
            self.memory[drop.pk].editions = list(drop.editions.all())
        for row in due:
            row.editions = self.memory[row.drop.pk].editions

    def look(self, due: Sequence[DropSnapshot]) -> None:
        """Ask Redis about each line; without it, `seen` stays None."""
        with self.redis_faults():
            for row in due:
                row.seen = lua.read_state(self.redis, row.drop.slug)
            self.mended("Redis")

    def tell(self, row: DropSnapshot) -> None:
        """Tell Redis what was committed; adopt it first where that is due, and seal a drop that has opened."""
        term = self.leading()
        try:
            if row.adopt_from is not None:
                publishing.adopt(redis=self.redis, term=term, row=row, counter=row.adopt_from)
            if row.phase is Phase.OPENING:
                self.seal(row)
            publishing.publish(redis=self.redis, term=term, row=row)
        except lua.OutdatedTerm as error:
            self.above = error.newest
            leader.release(term=term)
            raise checkpoints.LeadershipLost from error
        except (lua.NotAdopted, lua.RunIdMismatch):
            return  # Redis changed under our hands: the next round adopts it
        memory = self.memory[row.drop.pk]
        memory.phase, memory.told_at = row.phase, self.clock()

    def seal(self, row: DropSnapshot) -> None:
        """Close the lobby and commit its size. Raises: lua.Refused, RedisError, with nothing committed."""
        n = lua.close_lobby(self.redis, row.drop.slug, term=self.leading())
        checkpoints.seal(term=self.leading(), drop=row.drop, n=n)
        row.phase = lifecycle.phase(drop=row.drop, now=row.now)

    def forget(self) -> None:
        """Delete the keys of drops that were over an hour ago; looked for once a minute."""
        if self.clock() - self.forgot_at < CLEANUP_SECONDS:
            return
        self.forgot_at = self.clock()
        with self.redis_faults():
            for checkpoint in snapshots.deletable_checkpoints():
                lua.delete_keys(self.redis, checkpoint.drop.slug)
                checkpoints.record_deleted_keys(term=self.leading(), checkpoint=checkpoint)
                self.memory.pop(checkpoint.drop_id, None)

    # --- faults, each told once

    @contextmanager
    def redis_faults(self) -> Iterator[None]:
        """Do without Redis, should it fail: the next round tries again."""
        try:
            yield
        except RedisError as error:
            self.fault("Redis", error)

    def fault(self, server: str, error: Exception) -> None:
        if server not in self.faults:
            logger.warning(
                "%s doesn't answer; trying on. (%s)", server, str(error).splitlines()[0] if str(error) else ""
            )
        self.faults.add(server)

    def mended(self, server: str) -> None:
        if server in self.faults:
            logger.warning("%s answers again.", server)
        self.faults.discard(server)


def seconds_to_next_tick(rows: Sequence[DropSnapshot]) -> float:
    """Say in how many seconds to look again: soon while a drop runs, and right at the next change by the clock."""
    is_running = any(row.phase in lifecycle.RUNNING_PHASES for row in rows)
    wait = RUNNING_TICK_SECONDS if is_running else IDLE_TICK_SECONDS
    changes = [lifecycle.next_change(drop=row.drop, now=row.now) for row in rows]
    return min([wait, *((at - row.now).total_seconds() for row, at in zip(rows, changes, strict=True) if at)])


def record_ending(row: DropSnapshot) -> None:
    """Write what the clock or the last sale has made true: sold out, or closed."""
    drop = row.drop
    if row.phase is Phase.SOLD_OUT and drop.sold_out_at is None:
        checkpoints.mark_sold_out(drop=drop)
    elif row.phase is not Phase.SOLD_OUT and drop.sold_out_at is not None:
        checkpoints.clear_sold_out(drop=drop)
    elif row.phase is Phase.CLOSED and drop.closed_at is None:
        drop_actions.close(drop=drop, who=None)
