"""A Redis that loses its memory, or all of itself: nothing is given twice, and counting goes on where it is safe."""

import pytest
from redis import Redis
from redis.exceptions import RedisError

from drops.waitingroom.protocol import keys, lua
from drops.waitingroom.protocol.lua import Script, Seal
from tests.drops.waitingroom.protocol.servers import LineServer, adopt, publish

A, B, C, D, E = ("a" * 32, "b" * 32, "c" * 32, "d" * 32, "e" * 32)


def careless(script: Script) -> Script:
    """The script without its check of the run id."""
    check = "kept[3] == here"
    assert check in script.text
    return Script(script.text.replace(check, "true"))


def test_nothing_works_on_a_server_that_nobody_adopted(server):
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
def test_nothing_works_where_a_part_of_the_adoption_is_gone(server, lost):
    adopt(server)
    server.hdel(keys.state("x"), lost)

    with pytest.raises(lua.NotAdopted):
        lua.join(server, "x", [A])


def test_an_emptied_server_waits_and_then_counts_on_from_the_committed_limit(server):
    adopt(server, limit=100)
    given = lua.join(server, "x", [A, B])
    server.flushall()

    with pytest.raises(lua.NotAdopted):
        lua.join(server, "x", [C])

    adopt(server, epoch=2, counter=100, limit=200)
    assert (given, lua.join(server, "x", [C, A])) == ([0, 1], [100, 101])


def test_a_killed_server_keeps_its_clients_and_waits_to_be_adopted(mortal):
    adopt(mortal.redis, limit=100)
    given = lua.join(mortal.redis, "x", [A, B])
    mortal.redis.execute_command("WAITAOF", 1, 0, 5000)
    mortal.kill()
    with pytest.raises(RedisError):
        lua.join(mortal.redis, "x", [C])
    mortal.start()
    with pytest.raises(lua.NotAdopted):
        lua.join(mortal.redis, "x", [C])

    adopt(mortal.redis, epoch=2, counter=100, limit=200)
    assert (given, lua.join(mortal.redis, "x", [C, A])) == ([0, 1], [100, 0])


def gone_back(server: LineServer) -> list[int]:
    """Three join; the server dies, having kept only the first. What was given."""
    adopt(server.redis, limit=100)
    given = lua.join(server.redis, "x", [A])
    server.redis.save()
    given += lua.join(server.redis, "x", [B, C])
    server.restart()
    return given


def test_no_index_is_given_twice_by_a_server_that_went_back(forgetful):
    given = gone_back(forgetful)

    with pytest.raises(lua.NotAdopted):
        lua.join(forgetful.redis, "x", [D, E])
    adopt(forgetful.redis, epoch=2, counter=100, limit=200)
    given += lua.join(forgetful.redis, "x", [D, E])

    assert given == [0, 1, 2, 100, 101]


def test_control_without_the_run_id_an_index_is_given_twice(forgetful):
    given = gone_back(forgetful)
    _, names, clients = lua.join_call("x", [D, E])
    given += lua.run(forgetful.redis, careless(lua.JOIN), names, clients)

    assert given == [0, 1, 2, 1, 2]


def test_an_adoption_that_is_meant_for_the_server_before_is_refused(forgetful):
    before = lua.read_run_id(forgetful.redis)
    forgetful.restart()

    with pytest.raises(lua.RunIdMismatch) as refused:
        adopt(forgetful.redis, run_id=before)
    assert refused.value.args == (lua.read_run_id(forgetful.redis),)


def test_a_loss_between_the_first_step_and_the_second_seals_at_the_new_counter(server):
    adopt(server, limit=100)
    lua.join(server, "x", [A, B])
    first = lua.close_lobby(server, "x", term=1)
    server.flushall()
    adopt(server, epoch=2, counter=100, limit=200)
    lua.join(server, "x", [C])

    assert (first, lua.close_lobby(server, "x", term=1)) == (2, 101)


def test_a_seal_stands_after_a_loss(server: Redis):
    adopt(server, limit=100)
    lua.join(server, "x", [A, B])
    seal = Seal(lua.close_lobby(server, "x", term=1), bytes(32))
    publish(server, seal=seal)
    server.flushall()
    adopt(server, epoch=2, counter=100, limit=200, seal=seal)

    assert (lua.close_lobby(server, "x", term=1), lua.read_state(server, "x").fields["seed"]) == (2, "00" * 32)


def test_a_script_is_sent_again_to_a_server_that_forgot_it(server):
    adopt(server)
    lua.join(server, "x", [A])
    server.script_flush()

    assert lua.join(server, "x", [B]) == [1]
