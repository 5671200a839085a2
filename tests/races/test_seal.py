"""The seal against joins and against a Redis that loses data: no index twice, the whole lobby within N."""

from collections.abc import Callable
from threading import Event
from typing import cast

import pytest
from django.utils import timezone
from redis import Redis
from redis.exceptions import RedisError

from drops import shuffle_keys
from drops.models import Checkpoint, Drop
from drops.waitingroom.gatekeeper import checkpoints, leader, publishing, snapshots
from drops.waitingroom.gatekeeper.loop import Gatekeeper
from drops.waitingroom.protocol import lua
from tests.conftest import Race
from tests.drops.waitingroom.protocol.servers import RedisServer
from tests.factories import make_drop

pytestmark = pytest.mark.ops

JOINERS = 6


def keeper_of(redis: Redis) -> Gatekeeper:
    keeper = Gatekeeper(redis=redis, holder="a")
    keeper.run_once()
    return keeper


def lobby(redis: Redis) -> tuple[Drop, Gatekeeper]:
    drop = make_drop(phase="lobby")
    return drop, keeper_of(redis)


def open_now(drop: Drop) -> None:
    Drop.objects.filter(pk=drop.pk).update(opens_at=timezone.now())


def join(redis: Redis, drop: Drop, client: int) -> int:
    return lua.join(redis, drop.slug, [f"{client:032x}"])[0]


def joins_against(race: Race, redis: Redis, drop: Drop, close: Callable[[], object]) -> list[list[int]]:
    """Let shoppers join while `close` is called; return the indices of each, in order."""
    amid, over = Event(), Event()

    def shopper(number: int) -> list[int]:
        got: list[int] = []
        while not over.is_set() or len(got) < 20:
            got.append(join(redis, drop, number * 100_000 + len(got)))
            if len(got) == 20:
                amid.set()
        return got

    def act(number: int) -> object:
        if number < JOINERS:
            return shopper(number)
        amid.wait(10)
        try:
            return close()
        finally:
            over.set()

    *got, closed = race(JOINERS + 1, act)
    assert closed is None, closed
    return cast("list[list[int]]", got)


def test_the_seal_covers_all_who_joined_before_it_and_no_index_comes_twice(
    race: Race, line_redis: Redis
) -> None:
    drop, keeper = lobby(line_redis)
    Checkpoint.objects.update(counter_limit=1_000_000)
    keeper.run_once()
    open_now(drop)
    before = [join(line_redis, drop, number) for number in range(1_000_000, 1_000_010)]

    got = joins_against(race, line_redis, drop, lambda: keeper.run_once() and None)

    drop.refresh_from_db()
    given = sorted(before + [index for each in got for index in each])
    assert given == list(range(len(given)))
    assert drop.sealed is not None
    assert max(before) < drop.sealed <= len(given)
    assert int(lua.read_state(line_redis, drop.slug).fields["n"]) == drop.sealed
    assert join(line_redis, drop, 7_777_777) >= drop.sealed


def test_control_a_size_read_before_the_lobby_is_closed_leaves_somebody_out(
    line_redis: Redis, transactional_db: None
) -> None:
    drop, keeper = lobby(line_redis)
    open_now(drop)
    read = lua.read_state(line_redis, drop.slug).number("counter")

    index = join(line_redis, drop, 1)  # in the lobby: nothing has closed it
    checkpoints.seal(term=keeper.leading_term(), drop=drop, n=read, secret=shuffle_keys.secret_of(drop))

    drop.refresh_from_db()
    assert drop.sealed is not None
    assert not index < drop.sealed


def test_a_second_gatekeeper_closing_the_lobby_gets_the_same_size(
    line_redis: Redis, transactional_db: None
) -> None:
    drop, keeper = lobby(line_redis)
    join(line_redis, drop, 1)
    first = lua.close_lobby(line_redis, drop.slug, term=keeper.leading_term())

    join(line_redis, drop, 2)

    assert first == lua.close_lobby(line_redis, drop.slug, term=keeper.leading_term() + 1) == 1


@pytest.mark.parametrize("forget", [True, False])
def test_a_redis_lost_between_closing_and_the_commit_is_sealed_at_the_new_counter(
    own_redis: RedisServer, transactional_db: None, forget: bool
) -> None:
    drop, keeper = lobby(own_redis.redis)
    before = [join(own_redis.redis, drop, number) for number in range(5)]
    open_now(drop)
    assert lua.close_lobby(own_redis.redis, drop.slug, term=keeper.leading_term()) == 5

    own_redis.kill(forget=forget)
    own_redis.start()
    with pytest.raises(lua.NotAdopted):
        join(own_redis.redis, drop, 6)
    leader.release(term=keeper.leading_term())
    keeper_of(own_redis.redis)

    drop.refresh_from_db()
    assert (before, drop.sealed) == ([0, 1, 2, 3, 4], 1000)
    assert int(lua.read_state(own_redis.redis, drop.slug).fields["n"]) == 1000
    assert join(own_redis.redis, drop, 7) == 1000


@pytest.mark.parametrize("forget", [True, False])
def test_a_redis_lost_after_the_commit_leaves_the_seal_as_it_is(
    own_redis: RedisServer, transactional_db: None, forget: bool
) -> None:
    drop, keeper = lobby(own_redis.redis)
    for number in range(5):
        join(own_redis.redis, drop, number)
    open_now(drop)
    n = lua.close_lobby(own_redis.redis, drop.slug, term=keeper.leading_term())
    assert checkpoints.seal(term=keeper.leading_term(), drop=drop, n=n, secret=shuffle_keys.secret_of(drop))

    own_redis.kill(forget=forget)
    keeper.run_once()  # without Redis
    own_redis.start()
    keeper.run_once()

    drop.refresh_from_db()
    state = lua.read_state(own_redis.redis, drop.slug).fields
    assert (drop.sealed, state["n"], "seed" in state) == (5, "5", True)
    assert join(own_redis.redis, drop, 9) >= 1000


@pytest.mark.parametrize("forget", [True, False])
def test_a_redis_killed_while_shoppers_join_gives_no_index_twice(
    race: Race, own_redis: RedisServer, forget: bool
) -> None:
    drop, keeper = lobby(own_redis.redis)
    over = Event()

    def patient(number: int) -> list[int]:
        got: list[int] = []
        while not (over.is_set() and len(got) > 20):
            try:
                got.append(join(own_redis.redis, drop, number * 100_000 + len(got)))
            except (lua.ScriptRefused, RedisError):
                continue
        return got

    def act(number: int) -> object:
        if number < JOINERS:
            return patient(number)
        try:
            own_redis.kill(forget=forget)
            own_redis.start()
            return keeper.run_once()
        finally:
            over.set()

    *got, wait = race(JOINERS + 1, act)

    assert wait == 1.0
    given = [index for each in cast("list[list[int]]", got) for index in each]
    assert len(given) == len(set(given))
    assert Checkpoint.objects.get(drop=drop).epoch == 2


def test_control_resuming_at_the_counter_as_read_gives_an_index_twice(
    own_redis: RedisServer, transactional_db: None
) -> None:
    drop, keeper = lobby(own_redis.redis)
    given = [join(own_redis.redis, drop, number) for number in range(5)]
    keeper.run_once()
    given += [join(own_redis.redis, drop, number) for number in range(5, 7)]
    own_redis.kill(forget=True)
    own_redis.start()

    row = Checkpoint.objects.get(drop=drop)
    (watched,) = snapshots.read_drops()
    watched.checkpoint.run_id = lua.read_run_id(own_redis.redis)
    publishing.adopt(
        redis=own_redis.redis, term=row.term, snapshot=watched, counter=row.joined
    )  # not the limit

    assert join(own_redis.redis, drop, 9) in given
