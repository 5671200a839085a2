"""Several gatekeepers at one Postgres and Redis: one leads, and an older term never changes anything."""

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest
from django.db import connection
from django.utils import timezone
from redis import Redis

from drops import shuffle_keys
from drops.models import Checkpoint, Drop, Leadership
from drops.waitingroom.gatekeeper import checkpoints, decision, leader, publishing, snapshots
from drops.waitingroom.gatekeeper.loop import Gatekeeper
from drops.waitingroom.protocol import keys, lua, status
from tests.conftest import Race
from tests.factories import make_drop

pytestmark = pytest.mark.ops

ROUNDS = 25


def end_lease() -> None:
    """Let the lease end, as if the leader had slept for longer than it lasts."""
    Leadership.objects.update(until=timezone.now() - timedelta(seconds=1))


def snapshots_of(drop: Drop) -> list[snapshots.DropSnapshot]:
    """Return what a tick starts from."""
    return [snapshot for snapshot in snapshots.read_drops() if snapshot.drop == drop]


def try_to_lead(holder: object) -> int | None:
    """Take the lead; return the term, or None if another gatekeeper leads."""
    try:
        return leader.acquire(holder=str(holder))
    except leader.LeadershipTaken:
        return None


def test_of_eight_gatekeepers_one_leads(race: Race) -> None:
    terms = race(8, try_to_lead)

    assert Counter(terms) == {None: 7, 1: 1}


def test_a_lapsed_lead_goes_to_one_gatekeeper(race: Race) -> None:
    leader.acquire(holder="dead")
    end_lease()

    terms = race(8, try_to_lead)

    assert Counter(terms) == {None: 7, 2: 1}


def test_a_lead_that_is_renewed_is_not_taken(transactional_db: None) -> None:
    term = leader.acquire(holder="a")
    end_lease()

    leader.renew(term=term)

    assert try_to_lead("b") is None


def test_a_released_lead_is_free_at_once(transactional_db: None) -> None:
    term = leader.acquire(holder="a")

    assert leader.release(term=term)

    assert try_to_lead("b") == 2
    assert not leader.release(term=term)  # no longer its own
    assert try_to_lead("c") is None


def test_a_gatekeeper_that_slept_commits_and_publishes_nothing(
    transactional_db: None, line_redis: Redis
) -> None:
    drop = make_drop(phase="live")
    old, new = Gatekeeper(redis=line_redis, holder="old"), Gatekeeper(redis=line_redis, holder="new")
    old.run_once()
    end_lease()
    new.run_once()
    before = Checkpoint.objects.values().get(), lua.read_state(line_redis, drop.slug).fields

    old.run_once()

    assert (old.term, new.term) == (None, 2)
    assert (Checkpoint.objects.values().get(), lua.read_state(line_redis, drop.slug).fields) == before


def test_a_gatekeeper_that_slept_between_commit_and_redis_is_refused(
    transactional_db: None, line_redis: Redis
) -> None:
    drop = make_drop(phase="live")
    old, new = Gatekeeper(redis=line_redis, holder="old"), Gatekeeper(redis=line_redis, holder="new")
    old.run_once()
    (stale,) = snapshots_of(drop)
    stale.checkpoint.cursor = stale.checkpoint.allowance = 90
    end_lease()
    new.run_once()
    before = lua.read_state(line_redis, drop.slug).fields, line_redis.get(keys.status(drop.slug))

    with pytest.raises(lua.OutdatedTerm):
        publishing.publish(redis=line_redis, term=1, snapshot=stale)

    assert (lua.read_state(line_redis, drop.slug).fields, line_redis.get(keys.status(drop.slug))) == before


def test_a_gatekeeper_that_slept_seals_nothing(transactional_db: None, line_redis: Redis) -> None:
    drop = make_drop(phase="lobby")
    old = Gatekeeper(redis=line_redis, holder="old")
    old.run_once()
    end_lease()
    Gatekeeper(redis=line_redis, holder="new").run_once()
    Drop.objects.update(opens_at=timezone.now())

    assert checkpoints.seal(term=1, drop=drop, n=3, secret=shuffle_keys.secret_of(drop)) is False
    with pytest.raises(lua.OutdatedTerm):
        lua.close_lobby(line_redis, drop.slug, term=1)

    drop.refresh_from_db()
    assert drop.sealed is None


def test_gatekeepers_that_take_turns_lose_no_tick(race: Race, line_redis: Redis) -> None:
    """The lease keeps ending; each successful commit is one tick, and no two are the same."""
    drop = make_drop(phase="lobby")

    def act(number: int) -> list[int]:
        keeper, ticks = Gatekeeper(redis=line_redis, holder=str(number)), []
        for _ in range(ROUNDS):
            if random.random() < 0.3:
                end_lease()
            ticks += committed(keeper, drop)
        return ticks

    results = race(3, act)

    ticks = sorted(number for each in cast("list[list[int]]", results) for number in each)
    assert ticks == list(range(1, len(ticks) + 1))
    assert Checkpoint.objects.get(drop=drop).tick == len(ticks)
    assert status.decode(cast("bytes", line_redis.get(keys.status(drop.slug))))["tick"] <= len(ticks)


def committed(keeper: Gatekeeper, drop: Drop) -> list[int]:
    """Run one tick step by step; return the tick that was committed, if this gatekeeper led."""
    if keeper.term is None:
        keeper.term = try_to_lead(keeper.holder)
    if keeper.term is None:
        return []
    due = snapshots_of(drop)
    for snapshot in due:
        snapshot.redis = lua.read_state(keeper.redis, drop.slug)
        decision.update_counter(snapshot, decision.JoinRate())
    try:
        checkpoints.commit(term=keeper.term, checkpoints=[snapshot.checkpoint for snapshot in due])
    except leader.LeadershipLost:
        keeper.term = None
        return []
    try:
        publishing.adopt(
            redis=keeper.redis, term=keeper.term, snapshot=due[0], counter=due[0].checkpoint.counter_limit
        )
        publishing.publish(redis=keeper.redis, term=keeper.term, snapshot=due[0])
    except lua.OutdatedTerm:
        keeper.term = None
    return [due[0].checkpoint.tick]


def test_control_commits_without_the_term_lose_ticks(race: Race, line_redis: Redis) -> None:
    drop = make_drop(phase="lobby")

    def careless(_number: int) -> int:
        for _ in range(ROUNDS):
            row = Checkpoint.objects.get(drop=drop)
            row.tick += 1
            row.save()
        return ROUNDS

    assert race(4, careless) == [ROUNDS] * 4
    assert Checkpoint.objects.get(drop=drop).tick < 4 * ROUNDS


def test_the_process_takes_the_lead_and_releases_it_at_term(
    transactional_db: None, line_redis: Redis
) -> None:
    drop = make_drop(phase="lobby")
    settings = connection.settings_dict
    url = f"postgres://{settings['USER']}:{settings['PASSWORD']}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"
    command = [sys.executable, "manage.py", "gatekeeper"]
    process = subprocess.Popen(
        command, env=os.environ | {"DATABASE_URL": url}, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(process, lambda: line_redis.exists(keys.status(drop.slug)))
        assert Leadership.objects.get().until > timezone.now()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()

    assert (process.returncode, errors) == (0, "")
    assert Leadership.objects.get().until < timezone.now()


def wait_until(process: "subprocess.Popen[str]", holds: Callable[[], object]) -> None:
    """Wait for a condition while the process runs; half a minute at most."""
    ends = timezone.now() + timedelta(seconds=30)
    while not holds():
        assert process.poll() is None, process.communicate()[1]
        assert timezone.now() < ends
