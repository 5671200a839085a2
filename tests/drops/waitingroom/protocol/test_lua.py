"""The scripts on a real server, one rule per test. Servers that lose data are in test_losses.py."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from redis import Redis

from drops.waitingroom.protocol import keys, lua
from drops.waitingroom.protocol.lua import Entry, Seal
from tests.drops.waitingroom.protocol.servers import RedisServer, adopt, publish

A, B, C, D = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)
SEED = bytes(range(32))


def state(server: Redis, *names: str) -> list[str | None]:
    kept = lua.read_state(server, "x").fields
    return [kept.get(name) for name in names]


# --- join


def test_join_counts_from_0_and_returns_consecutive_indices_for_a_batch(server: Redis) -> None:
    adopt(server)

    assert (lua.join(server, "x", [A, B]), lua.join(server, "x", [C])) == ([0, 1], [2])


def test_join_returns_the_same_index_to_a_known_client_and_to_a_repeat_in_a_batch(server: Redis) -> None:
    adopt(server)
    lua.join(server, "x", [A, B])

    assert lua.join(server, "x", [C, B, C, D, A]) == [2, 1, 2, 3, 0]
    assert state(server, "counter") == ["4"]


def test_join_accepts_the_gate_s_largest_batch(server: Redis) -> None:
    adopt(server)

    assert lua.join(server, "x", [f"{number:032x}" for number in range(500)]) == list(range(500))


def test_join_refuses_to_pass_the_limit_and_resumes_when_it_is_raised(server: Redis) -> None:
    adopt(server, limit=2)
    lua.join(server, "x", [A])

    with pytest.raises(lua.CounterLimitReached):
        lua.join(server, "x", [B, C])
    assert lua.run(server, *lua.join_call("x", [B, C, A, D, C])) == [1, -1, 0, -1, -1]
    assert state(server, "counter") == ["2"]

    publish(server, limit=3)
    assert lua.join(server, "x", [C]) == [2]


def test_join_is_refused_before_the_lobby_by_the_server_s_clock(server: Redis) -> None:
    opens = int(time.time()) + 100
    adopt(server, lobby=opens)

    with pytest.raises(lua.LobbyNotOpen) as early:
        lua.join(server, "x", [A])
    assert early.value.opens_at == opens


def test_join_is_refused_when_the_drop_is_closed(server: Redis) -> None:
    adopt(server)
    publish(server, closed=True)

    with pytest.raises(lua.DropClosed):
        lua.join(server, "x", [A])


def test_join_gives_no_index_twice_to_many_at_once(server: Redis, shared_server: RedisServer) -> None:
    adopt(server)

    def forty(caller: int) -> list[int]:
        with shared_server.client() as own:
            return [
                index for turn in range(20) for index in lua.join(own, "x", [f"{caller:016x}{turn:016x}"] * 2)
            ]

    with ThreadPoolExecutor(8) as pool:
        found = [index for indices in pool.map(forty, range(8)) for index in indices]

    assert sorted(found) == sorted([*range(160), *range(160)])


# --- the seal's first step


def test_close_lobby_returns_the_same_n_each_time(server: Redis) -> None:
    adopt(server)
    lua.join(server, "x", [A, B])
    first = lua.close_lobby(server, "x", term=1)
    late = lua.join(server, "x", [C])

    assert (first, late, lua.close_lobby(server, "x", term=1)) == (2, [2], 2)


def test_close_lobby_refuses_an_older_term(server: Redis) -> None:
    adopt(server, term=3)

    with pytest.raises(lua.OutdatedTerm):
        lua.close_lobby(server, "x", term=2)
    assert state(server, "n") == [None]


# --- enter


@pytest.fixture
def live(server: Redis) -> Redis:
    """Four in the lobby, sealed; places below 3 are called and two may enter."""
    adopt(server)
    lua.join(server, "x", [A, B, C, D])
    publish(server, cursor=3, allowance=2, seal=Seal(4, SEED))
    return server


def test_enter_admits_a_called_place_and_counts_it(live: Redis) -> None:
    entry = lua.enter(live, "x", index=1, place=2)

    assert entry.cursor == 3
    assert state(live, "entered") == ["1"]
    assert lua.read_state(live, "x").entered_at == {entry.entered: 1}
    assert live.getrange(keys.entries("x"), 4, 7) == entry.entered.to_bytes(4)


def test_enter_refuses_a_place_at_the_cursor(live: Redis) -> None:
    with pytest.raises(lua.NotCalled) as early:
        lua.enter(live, "x", index=1, place=3)

    assert early.value.cursor == 3
    assert state(live, "entered") == ["0"]


def test_enter_returns_the_same_entry_again_uncounted(live: Redis) -> None:
    first = lua.enter(live, "x", index=1, place=2)
    publish(live, cursor=3, allowance=1)

    assert lua.enter(live, "x", index=1, place=2) == first
    assert state(live, "entered") == ["1"]


@pytest.mark.parametrize(("ago", "counted"), [(100, "1"), (121, "2")])
def test_enter_counts_again_once_the_pass_has_ended(live: Redis, ago: int, counted: str) -> None:
    lua.enter(live, "x", index=1, place=2)
    before = int(live.time()[0]) - ago
    live.setrange(keys.entries("x"), 4, before.to_bytes(4))
    again = lua.enter(live, "x", index=1, place=2)

    assert (again.entered == before) is (counted == "1")
    assert state(live, "entered") == [counted]


def test_enter_is_refused_when_the_allowance_is_used_up(live: Redis) -> None:
    lua.enter(live, "x", index=0, place=0)
    lua.enter(live, "x", index=1, place=2)

    with pytest.raises(lua.AllowanceUsedUp):
        lua.enter(live, "x", index=2, place=1)
    assert state(live, "entered") == ["2"]

    publish(live, cursor=3, allowance=3)
    assert lua.enter(live, "x", index=2, place=1).cursor == 3


def test_enter_never_passes_the_allowance_with_many_at_once(
    server: Redis, shared_server: RedisServer
) -> None:
    adopt(server, cursor=100, allowance=7)

    def one(index: int) -> Entry | lua.ScriptRefused:
        with shared_server.client() as own:
            try:
                return lua.enter(own, "x", index=index, place=index)
            except lua.ScriptRefused as refused:
                return refused

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(one, range(40)))

    assert [type(outcome) for outcome in outcomes].count(Entry) == 7
    assert state(server, "entered") == ["7"]


def test_enter_is_refused_in_a_pause_and_works_after_it(live: Redis) -> None:
    publish(live, cursor=3, allowance=2, paused=True)
    with pytest.raises(lua.AdmissionPaused):
        lua.enter(live, "x", index=0, place=0)

    publish(live, cursor=3, allowance=2)
    assert lua.enter(live, "x", index=0, place=0).cursor == 3


def test_enter_is_refused_when_the_drop_is_closed(live: Redis) -> None:
    publish(live, closed=True, paused=True)

    with pytest.raises(lua.DropClosed):
        lua.enter(live, "x", index=0, place=0)


# --- publish


def test_publish_takes_the_maximum_of_cursor_and_limit(server: Redis) -> None:
    adopt(server)
    publish(server, cursor=50, limit=2000)
    publish(server, cursor=49, limit=1999)

    assert state(server, "cursor", "limit") == ["50", "2000"]


@pytest.mark.parametrize(("allowance", "kept"), [(0, "2"), (1, "2"), (2, "2"), (3, "3"), (60, "60")])
@pytest.mark.parametrize("write", [publish, adopt])
def test_the_allowance_falls_to_what_has_entered(
    server: Redis, write: Callable[..., None], allowance: int, kept: str
) -> None:
    adopt(server, cursor=50, allowance=40)
    for index in range(2):
        lua.enter(server, "x", index=index, place=index)
    write(server, allowance=allowance)

    assert state(server, "allowance") == [kept]


def test_publish_never_reopens_a_closed_drop(server: Redis) -> None:
    adopt(server)
    publish(server, closed=True)
    publish(server)

    assert state(server, "closed") == ["1"]


def test_publish_sets_the_seed_once_and_the_committed_n_with_it(server: Redis) -> None:
    adopt(server)
    lua.join(server, "x", [A, B, C])
    lua.close_lobby(server, "x", term=1)
    publish(server, seal=Seal(2, SEED))
    publish(server, seal=Seal(9, bytes(32)))

    assert state(server, "n", "seed") == ["2", SEED.hex()]


def test_publish_refuses_an_older_term_and_changes_nothing(server: Redis) -> None:
    adopt(server, term=4)
    publish(server, term=5, status="new")

    with pytest.raises(lua.OutdatedTerm):
        publish(server, term=4, cursor=9, status="old", closed=True)
    assert state(server, "cursor", "term", "closed") == ["0", "5", "0"]
    assert server.get(keys.status("x")) == b"new"


def test_publish_deletes_seconds_whose_passes_have_ended(server: Redis) -> None:
    adopt(server)
    now = int(server.time()[0])
    server.hset(keys.seconds("x"), mapping={str(now - ago): 2 for ago in range(300)})
    publish(server)

    assert 119 <= len(lua.read_state(server, "x").entered_at) <= 122


def test_publish_stores_the_theme_of_the_page(server: Redis) -> None:
    adopt(server)
    publish(server, theme={"title": "Größe"})

    assert state(server, "look") == ['{"title": "Größe"}']


# --- adopt, read_state, delete_keys


def test_adopt_keeps_known_clients_and_resumes_at_the_committed_limit(server: Redis) -> None:
    adopt(server, limit=10)
    lua.join(server, "x", [A, B])
    adopt(server, term=2, epoch=2, counter=10, limit=20)

    assert lua.join(server, "x", [B, C]) == [1, 10]
    assert state(server, "epoch", "limit") == ["2", "20"]


def test_adopt_lowers_no_number_but_the_allowance(server: Redis) -> None:
    adopt(server, epoch=3, counter=10, limit=20, cursor=7, allowance=8, entered=6)
    adopt(server, epoch=2, counter=9, limit=19, cursor=6, allowance=7, entered=5)

    assert state(server, "epoch", "counter", "limit", "cursor", "allowance", "entered") == [
        "3", "10", "20", "7", "7", "6",
    ]  # fmt: skip


def test_adopt_deletes_an_uncommitted_n_and_sets_a_committed_one(server: Redis) -> None:
    adopt(server)
    lua.close_lobby(server, "x", term=1)
    adopt(server, epoch=2)
    uncommitted = state(server, "n", "seed")
    adopt(server, epoch=3, seal=Seal(0, SEED))

    assert (uncommitted, state(server, "n", "seed")) == ([None, None], ["0", SEED.hex()])


def test_adopt_refuses_a_different_server_and_an_older_term(server: Redis) -> None:
    adopt(server, term=2)

    with pytest.raises(lua.RunIdMismatch):
        adopt(server, run_id="0" * 40)
    with pytest.raises(lua.OutdatedTerm):
        adopt(server, term=1)


def test_adopt_deletes_what_an_earlier_drop_with_the_same_slug_left(server: Redis) -> None:
    adopt(server, cursor=100, allowance=100)
    lua.join(server, "x", [A, B, C])
    lua.enter(server, "x", index=2, place=2)
    adopt(server, drop=UUID(int=9))

    assert lua.join(server, "x", [C]) == [0]
    assert state(server, "entered", "cursor") == ["0", "0"]
    assert server.exists(keys.entries("x"), keys.seconds("x")) == 0


def test_read_state_returns_what_a_tick_starts_from(server: Redis) -> None:
    fresh = lua.read_state(server, "x")
    adopt(server, cursor=5, allowance=5)
    for index in range(3):
        lua.enter(server, "x", index=index, place=index)
    server.hset(keys.seconds("x"), str(int(server.time()[0]) - 100), 4)
    seen = lua.read_state(server, "x")

    assert (fresh.adopted, fresh.fields, fresh.number("counter")) == (False, {}, 0)
    assert (seen.adopted, seen.number("entered"), seen.run_id) == (True, 3, lua.read_run_id(server))
    assert sum(seen.entered_at.values()) == 7


def test_delete_keys_leaves_none(server: Redis) -> None:
    adopt(server, cursor=1, allowance=1, status="{}")
    lua.join(server, "x", [A])
    lua.enter(server, "x", index=0, place=0)
    lua.delete_keys(server, "x")

    assert server.keys() == []
