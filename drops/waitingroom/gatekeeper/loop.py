"""The gatekeeper's loop: one leader looks after all drops; Postgres first, Redis second.

A tick reads the drops and what Redis holds of each, decides, commits the checkpoints in one guarded
statement, and only then publishes to Redis. If a process dies in between, the next tick of any gatekeeper
continues from the commit.

The seal takes three steps: Redis closes the lobby and returns N, revealing nothing; Postgres commits N by its
own clock; then the secret is published.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from uuid import UUID

from django.db import Error
from django.db.models import prefetch_related_objects
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from drops import admission, drop_actions, lifecycle, shuffle_keys
from drops.lifecycle import Phase
from drops.models import Ceiling, Edition
from drops.shuffle_keys import ShuffleKeyUnusable
from drops.waitingroom.gatekeeper import (
    checkpoints,
    clocks,
    decision,
    faults,
    leader,
    pace,
    publishing,
    repeats,
    snapshots,
)
from drops.waitingroom.gatekeeper.allocation import RecentCalls
from drops.waitingroom.gatekeeper.decision import JoinRate
from drops.waitingroom.gatekeeper.leader import LeadershipLost, LeadershipTaken
from drops.waitingroom.gatekeeper.pace import PaceMeter
from drops.waitingroom.gatekeeper.snapshots import DropSnapshot
from drops.waitingroom.protocol import lua
from shop.core import database

logger = logging.getLogger(__name__)

RUNNING_TICK_SECONDS = 1.0  # between ticks while a drop runs
IDLE_TICK_SECONDS = 2.5  # otherwise; below leader.LEASE_SECONDS, so that the lead is kept
MIN_TICK_SECONDS = 0.02
IDLE_PUBLISH_SECONDS = 10.0  # between the documents of a drop that doesn't run
CLEANUP_SECONDS = 60.0
CLOCKS_SECONDS = 300.0
FIRST_CLOCKS_SECONDS = 10.0


@dataclass
class DropMemory:
    """The leader's memory of a drop from tick to tick. A new leader does without it."""

    editions: list[Edition] = field(default_factory=list)
    slug: str = ""
    phase: Phase | None = None  # as last published
    published_at: float = 0.0  # monotonic
    published_tick: int = 0
    rate: JoinRate = field(default_factory=JoinRate)
    pace: PaceMeter = field(default_factory=PaceMeter)
    calls: RecentCalls = field(default_factory=RecentCalls)


def connect(url: str) -> Redis:
    """Return a client of the waiting room's Redis.

    Its timeouts are short: a long tick would lose the lead.
    """
    return Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0))


class Gatekeeper:
    """One gatekeeper, leading or standing by. `run` ticks until it is stopped; `run_once` is one tick."""

    def __init__(self, *, redis: Redis, holder: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.redis = redis
        self.holder = holder
        self.clock = clock
        self.term: int | None = None
        self.newest_term = 0  # that Redis knows of: above Postgres' own after a restore from a backup
        self.memory: dict[UUID, DropMemory] = {}
        self.outages = faults.Outages(clock)
        self.alerting = faults.Alerting()
        self.cleaned_at = clock()
        self.clocks_due_at = clock() + FIRST_CLOCKS_SECONDS
        self.ticked_at = clock()  # when the last tick ended, with or without success

    def seconds_since_tick(self) -> float:
        return self.clock() - self.ticked_at

    def run(self, stop: Event) -> None:
        """Tick until `stop` is set, then let another gatekeeper take over at once."""
        wait = 0.0
        while not stop.wait(wait):
            began = self.clock()
            wait = max(MIN_TICK_SECONDS, self.run_once_safely() - (self.clock() - began))
            self.ticked_at = self.clock()
        self.step_down()

    def run_once_safely(self) -> float:
        """Run one tick; without Postgres, do nothing but retry. Return the seconds until the next tick."""
        try:
            wait = self.run_once()
        except Error as error:
            if not database.is_unavailable(error):
                raise
            self.outages.begin("Postgres", error)
            database.discard_connections()
            self.stop_admission()
            return RUNNING_TICK_SECONDS
        self.outages.end("Postgres")
        return wait

    def run_once(self) -> float:
        """Run one tick. Return the seconds until the next one, counted from the beginning of this one."""
        if self.term is None:
            try:
                self.take_lead()
            except LeadershipTaken as taken:
                return min(IDLE_TICK_SECONDS, max(0.1, taken.seconds))
        every = snapshots.read_drops()
        due = [snapshot for snapshot in every if self.is_due(snapshot)]
        try:
            if due:
                self.process(due, every)
            else:
                leader.renew(term=self.leading_term())
            self.list_announced(every)
            self.delete_old_keys()
            self.record_clocks()
            self.alerting.check_keys(every)
            self.alerting.check_redis(every, unreachable_seconds=self.outages.seconds("Redis"))
        except LeadershipLost:
            self.stand_by()
        return seconds_to_next_tick(every)

    # --- the lead

    def take_lead(self) -> None:
        """Become the leader. Raises: LeadershipTaken."""
        self.term = leader.acquire(holder=self.holder, above=self.newest_term)
        self.memory.clear()
        self.alerting = faults.Alerting()

    def leading_term(self) -> int:
        """Return the term in which this gatekeeper leads. Raises: LeadershipLost."""
        if self.term is None:
            raise LeadershipLost
        return self.term

    def stand_by(self) -> None:
        logger.warning("Another gatekeeper leads; %s stands by", self.holder)
        self.term = None

    def step_down(self) -> None:
        """Release the lead, if this gatekeeper has it and Postgres is reachable."""
        try:
            if self.term is not None:
                leader.release(term=self.term)
        except Error as error:
            self.outages.begin("Postgres", error)
        self.term = None

    # --- one tick

    def is_due(self, snapshot: DropSnapshot) -> bool:
        """Whether to process a drop in this tick: always while it runs, else in a new phase or rarely."""
        memory = self.memory.setdefault(snapshot.drop.pk, DropMemory())
        if snapshot.phase in lifecycle.RUNNING_PHASES or snapshot.phase != memory.phase:
            return True
        return self.clock() - memory.published_at >= IDLE_PUBLISH_SECONDS

    def process(self, due: Sequence[DropSnapshot], every: Sequence[DropSnapshot]) -> None:
        """Read, decide, commit, publish. Raises: LeadershipLost."""
        self.add_memory(due)
        self.read_redis(due)
        snapshots.count_stock_and_holds(due=due, every=every)
        for snapshot in due:
            memory, checkpoint = self.memory[snapshot.drop.pk], snapshot.checkpoint
            checkpoint.published_tick = max(checkpoint.published_tick, memory.published_tick)
            decision.update_counter(snapshot, memory.rate)
        active = active_ceilings(due)
        decision.decide(due=due, every=every, active=active)
        for snapshot in due:
            snapshot.pace = pace.measure(snapshot, self.memory[snapshot.drop.pk].pace)
        checkpoints.commit(term=self.leading_term(), checkpoints=[snapshot.checkpoint for snapshot in due])
        for snapshot in due:
            record_ending(snapshot)
            # Only after the commit: a gatekeeper that has unknowingly lost the lead sees a newer Redis, too.
            if snapshot.is_redis_ahead:
                faults.alert_older_postgres(snapshot)
        self.alerting.check_payments(active)
        with self.tolerate_redis_errors():
            for snapshot in due:
                if snapshot.redis is not None:
                    self.publish(snapshot)

    def add_memory(self, due: Sequence[DropSnapshot]) -> None:
        """Add the editions and the recent calls.

        Editions are read again for new drops and in new phases; otherwise they don't change.
        """
        changed = [snapshot.drop for snapshot in due if self.memory[snapshot.drop.pk].phase != snapshot.phase]
        prefetch_related_objects(changed, "editions__variant")
        for drop in changed:
            self.memory[drop.pk].editions = list(drop.editions.all())
        for snapshot in due:
            memory = self.memory[snapshot.drop.pk]
            snapshot.editions, snapshot.calls = memory.editions, memory.calls

    def read_redis(self, due: Sequence[DropSnapshot]) -> None:
        """Add what Redis holds of each drop; None if it is unreachable."""
        with self.tolerate_redis_errors():
            for snapshot in due:
                snapshot.redis = lua.read_state(self.redis, snapshot.drop.slug)
            self.outages.end("Redis")

    def publish(self, snapshot: DropSnapshot) -> None:
        """Publish what was committed; adopt the server first if necessary, and seal a drop that has opened.

        Raises: LeadershipLost, RedisError.
        """
        term = self.leading_term()
        try:
            if snapshot.adopt_from is not None:
                self.adopt(snapshot, counter=snapshot.adopt_from)
            if snapshot.phase is Phase.OPENING:
                self.seal(snapshot)
            publishing.publish(redis=self.redis, term=term, snapshot=snapshot)
        except lua.OutdatedTerm as outdated:
            self.newest_term = outdated.newest
            # Redis knows a newer leader. If Postgres doesn't, then Postgres is older than Redis.
            if leader.release(term=term):
                faults.alert_older_postgres(snapshot)
            raise LeadershipLost from outdated
        except (lua.NotAdopted, lua.RunIdMismatch, lua.StateRewound):
            return  # the server was replaced or rewound during this tick: the next one adopts it
        memory = self.memory[snapshot.drop.pk]
        memory.slug, memory.phase, memory.published_at = snapshot.drop.slug, snapshot.phase, self.clock()
        memory.published_tick = snapshot.checkpoint.tick

    def adopt(self, snapshot: DropSnapshot, *, counter: int) -> None:
        """Adopt the server; counting resumes at `counter`. If it gave indices twice, list them for ops.

        Raises: lua.ScriptRefused, RedisError.
        """
        if snapshot.repeated is not None:
            # Before the adoption: a process that dies right after it has alerted ops.
            repeats.record(snapshot, snapshot.repeated)
        given = publishing.adopt(
            redis=self.redis, term=self.leading_term(), snapshot=snapshot, counter=counter
        )
        if snapshot.repeated is not None and given > snapshot.repeated.stop:
            repeats.record(snapshot, range(snapshot.repeated.start, given))

    def seal(self, snapshot: DropSnapshot) -> None:
        """Close the lobby and commit its size, unless the drop's key can't be used.

        Raises: lua.ScriptRefused, RedisError, with nothing committed.
        """
        try:
            secret = shuffle_keys.secret_of(snapshot.drop)
        except ShuffleKeyUnusable:
            return  # check_keys alerts ops; the lobby stays open
        n = lua.close_lobby(self.redis, snapshot.drop.slug, term=self.leading_term())
        checkpoints.seal(term=self.leading_term(), drop=snapshot.drop, n=n, secret=secret)
        snapshot.phase = lifecycle.phase(drop=snapshot.drop, now=snapshot.now)

    def list_announced(self, every: Sequence[DropSnapshot]) -> None:
        """Keep the list of announced drops, in each tick, as Redis may have been emptied."""
        with self.tolerate_redis_errors():
            lua.list_announced(self.redis, [snapshot.drop.slug for snapshot in every])

    def stop_admission(self) -> None:
        """Let nobody else in while nothing can be committed: no hold could succeed either.

        The allowance needs no commit to fall. The next tick that commits raises it again.
        """
        for memory in self.memory.values():
            if memory.phase not in lifecycle.SELLING_PHASES or self.term is None:
                continue
            with self.tolerate_redis_errors(), suppress(lua.OutdatedTerm, lua.NotAdopted, lua.RunIdMismatch):
                publishing.stop_admission(
                    redis=self.redis,
                    term=self.term,
                    slug=memory.slug,
                    is_paused=memory.phase is Phase.PAUSED,
                )

    def delete_old_keys(self) -> None:
        """Once a minute, delete the keys of drops that ended an hour ago."""
        if self.clock() - self.cleaned_at < CLEANUP_SECONDS:
            return
        self.cleaned_at = self.clock()
        with self.tolerate_redis_errors():
            for checkpoint in snapshots.deletable_checkpoints():
                lua.delete_keys(self.redis, checkpoint.drop.slug)
                checkpoints.record_deleted_keys(term=self.leading_term(), checkpoint=checkpoint)
                faults.resolve_older_postgres(checkpoint.drop.slug)
                repeats.resolve(checkpoint.drop)
                self.memory.pop(checkpoint.drop_id, None)

    def record_clocks(self) -> None:
        """Every few minutes, record the clocks of Redis and the gates."""
        if self.clock() < self.clocks_due_at:
            return
        self.clocks_due_at = self.clock() + CLOCKS_SECONDS
        with self.tolerate_redis_errors():
            clocks.record(self.redis)

    @contextmanager
    def tolerate_redis_errors(self) -> Iterator[None]:
        """Tolerate Redis errors; the next tick retries."""
        try:
            yield
        except RedisError as error:
            self.outages.begin("Redis", error)


def active_ceilings(due: Sequence[DropSnapshot]) -> list[Ceiling]:
    """Return the active ceilings, or none if no drop admits shoppers: a lobby costs no query for them."""
    if not any(decision.is_admitting(snapshot) for snapshot in due):
        return []
    return [*admission.ceilings(), admission.payment_ceiling()]


def seconds_to_next_tick(every: Sequence[DropSnapshot]) -> float:
    """Return the seconds to the next tick: few while a drop runs, and never beyond the next phase."""
    running = any(snapshot.phase in lifecycle.RUNNING_PHASES for snapshot in every)
    wait = IDLE_TICK_SECONDS
    if running:
        wait = RUNNING_TICK_SECONDS
    for snapshot in every:
        change = lifecycle.next_change(drop=snapshot.drop, now=snapshot.now)
        if change is not None:
            wait = min(wait, (change - snapshot.now).total_seconds())
    return wait


def record_ending(snapshot: DropSnapshot) -> None:
    """Record what the clock or the last sale has made true: sold out, or closed."""
    drop = snapshot.drop
    if snapshot.phase is Phase.SOLD_OUT and drop.sold_out_at is None:
        checkpoints.mark_sold_out(drop=drop)
    elif snapshot.phase is not Phase.SOLD_OUT and drop.sold_out_at is not None:
        checkpoints.clear_sold_out(drop=drop)
    elif snapshot.phase is Phase.CLOSED and drop.closed_at is None:
        drop_actions.close(drop=drop, actor=None)
