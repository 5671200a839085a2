"""A Redis that loses some or all of its data: no index is given twice, and counting resumes safely."""

import pytest
from redis import Redis
from redis.exceptions import RedisError

from drops.waitingroom.protocol import keys, lua
from drops.waitingroom.protocol.lua import Script, Seal
from tests.drops.waitingroom.protocol.servers import RedisServer, adopt, publish

A, B, C, D, E = ("a" * 32, "b" * 32, "c" * 32, "d" * 32, "e" * 32)


def careless(script: Script) -> Script:
    """The script without its check of the run id."""
    check = "kept[3] == here"
    assert check in script.text
    return Script(script.text.replace(check, "true"))


def test_scripts_refuse_a_server_that_was_never_adopted(server: Redis) -> None:
    with pytest.raises(lua.NotAdopted):
        lua.join(server, "x", [A])
    with pytest.raises(lua.NotAdopted):
        lua.enter(server, "x", index=0, place=0)
    with pytest.raises(lua.NotAdopted):
        lua.close_lobby(server, "x", term=1)
    with pytest.raises(lua.NotAdopted):
        publish(server)
    assert server.keys() == []


@pytest.mark.parametrize("lost", ["limit", "epoch", "run"])
def test_scripts_refuse_a_server_that_lost_part_of_the_adoption(server: Redis, lost: str) -> None:
    adopt(server)
    server.hdel(keys.state("x"), lost)

    with pytest.raises(lua.NotAdopted):
        lua.join(server, "x", [A])


def test_an_emptied_server_refuses_and_then_resumes_at_the_committed_limit(server: Redis) -> None:
    adopt(server, limit=100)
    given = lua.join(server, "x", [A, B])
    server.flushall()

    with pytest.raises(lua.NotAdopted):
        lua.join(server, "x", [C])

    adopt(server, epoch=2, counter=100, limit=200)
    assert (given, lua.join(server, "x", [C, A])) == ([0, 1], [100, 101])


def test_a_killed_server_keeps_its_clients_and_refuses_until_it_is_adopted(mortal: RedisServer) -> None:
    adopt(mortal.redis, limit=100)
    given = lua.join(mortal.redis, "x", [A, B])
    mortal.redis.execute_command("WAITAOF", 1, 0, 5000)  # type: ignore[no-untyped-call]
    mortal.kill()
    with pytest.raises(RedisError):
        lua.join(mortal.redis, "x", [C])
    mortal.start()
    with pytest.raises(lua.NotAdopted):
        lua.join(mortal.redis, "x", [C])

    adopt(mortal.redis, epoch=2, counter=100, limit=200)
    assert (given, lua.join(mortal.redis, "x", [C, A])) == ([0, 1], [100, 0])


def lose_recent_writes(server: RedisServer) -> list[int]:
    """Let three join, of whom the server keeps only the first when it dies; return their indices."""
    adopt(server.redis, limit=100)
    given = lua.join(server.redis, "x", [A])
    server.redis.save()
    given += lua.join(server.redis, "x", [B, C])
    server.restart()
    return given


def test_a_server_that_lost_recent_writes_gives_no_index_twice(forgetful: RedisServer) -> None:
    given = lose_recent_writes(forgetful)

    with pytest.raises(lua.NotAdopted):
        lua.join(forgetful.redis, "x", [D, E])
    adopt(forgetful.redis, epoch=2, counter=100, limit=200)
    given += lua.join(forgetful.redis, "x", [D, E])

    assert given == [0, 1, 2, 100, 101]


def test_control_without_the_run_id_an_index_is_given_twice(forgetful: RedisServer) -> None:
    given = lose_recent_writes(forgetful)
    _, names, clients = lua.join_call("x", [D, E])
    given += lua.run(forgetful.redis, careless(lua.JOIN), names, clients)

    assert given == [0, 1, 2, 1, 2]


def test_an_adoption_meant_for_the_previous_run_is_refused(forgetful: RedisServer) -> None:
    before = lua.read_run_id(forgetful.redis)
    forgetful.restart()

    with pytest.raises(lua.RunIdMismatch) as refused:
        adopt(forgetful.redis, run_id=before)
    assert refused.value.args == (lua.read_run_id(forgetful.redis),)


def test_a_loss_between_the_first_step_and_the_second_seals_at_the_new_counter(server: Redis) -> None:
    adopt(server, limit=100)
    lua.join(server, "x", [A, B])
    first = lua.close_lobby(server, "x", term=1)
    server.flushall()
    adopt(server, epoch=2, counter=100, limit=200)
    lua.join(server, "x", [C])

    assert (first, lua.close_lobby(server, "x", term=1)) == (2, 101)


def test_a_seal_stands_after_a_loss(server: Redis) -> None:
    adopt(server, limit=100)
    lua.join(server, "x", [A, B])
    seal = Seal(lua.close_lobby(server, "x", term=1), bytes(32))
    publish(server, seal=seal)
    server.flushall()
    adopt(server, epoch=2, counter=100, limit=200, seal=seal)

    assert (lua.close_lobby(server, "x", term=1), lua.read_state(server, "x").fields["seed"]) == (
        2,
        "00" * 32,
    )


def test_a_script_is_sent_again_to_a_server_that_has_not_cached_it(server: Redis) -> None:
    adopt(server)
    lua.join(server, "x", [A])
    server.script_flush()

    assert lua.join(server, "x", [B]) == [1]
