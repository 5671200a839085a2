import asyncio
from concurrent.futures import Future
from time import time

import pytest
from redis import Redis

from drops.waitingroom.gate import batches
from drops.waitingroom.protocol import keys, lua, tickets
from drops.waitingroom.protocol.tickets import Keyring
from tests.drops.waitingroom.gate.conftest import JSON, OURS, Caller, Reply, called
from tests.drops.waitingroom.protocol.servers import SECONDS, RedisServer, adopt, publish
from tests.servers import until

RING = Keyring.parse("t1:" + "11" * 32)
A, B = "a" * 32, "b" * 32
FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html,application/xhtml+xml"}


def test_join_gives_a_script_a_ticket_and_its_index(gate: Caller, lobby: Redis) -> None:
    first, second = gate.join(A), gate.join(B)

    assert (first.status, first.json, second.json) == (200, {"index": 0}, {"index": 1})
    assert first.cookies["index-x"] == "0"
    assert tickets.read_ticket(first.cookies["ticket-x"], "x", RING) == tickets.issue(
        "x", 0, bytes.fromhex(A), RING
    )
    assert first.headers["cache-control"] == "no-store"


def test_join_sets_cookies_that_a_page_may_read_only_in_part(gate: Caller, lobby: Redis) -> None:
    lines = gate.join().set_cookies

    assert [line.split("; ", 1)[1] for line in lines] == [
        "Path=/; Max-Age=604800; SameSite=Lax; HttpOnly",
        "Path=/; Max-Age=604800; SameSite=Lax",
    ]


def test_join_sends_a_form_to_the_line(gate: Caller, lobby: Redis) -> None:
    reply = gate.post("/line/x/join", FORM, cookies=f"key-x={A}")

    assert (reply.status, reply.headers["location"], reply.cookies["index-x"]) == (303, "/line/x/", "0")


def test_join_recognises_a_repeat_by_its_client_key_from_script_and_form(gate: Caller, lobby: Redis) -> None:
    first, other = gate.join(A), gate.join(B)
    again = gate.post("/line/x/join", FORM, f"key={B}".encode(), cookies=f"key-x={A}")

    assert (again.cookies, other.json) == (first.cookies, {"index": 1})


@pytest.mark.parametrize("key", ["", "a", "z" * 32])
def test_join_without_a_client_key_counts_each_as_a_newcomer(gate: Caller, lobby: Redis, key: str) -> None:
    assert [gate.join(key).json["index"] for _ in range(2)] == [0, 1]


def test_join_with_a_ticket_returns_the_same_one_without_redis(gate: Caller, lobby: Redis) -> None:
    first = gate.join(A)
    lobby.config_resetstat()
    again = gate.post(
        "/line/x/join", JSON | {"x-client-key": B}, cookies=f"other=1; ticket-x={first.cookies['ticket-x']}"
    )

    assert (again.json, again.cookies) == (first.json, first.cookies)
    assert "cmdstat_evalsha" not in lobby.info("commandstats")


@pytest.mark.parametrize(
    "value",
    [
        "1.t1.AAAA.AAAA",
        tickets.sign_ticket(tickets.Ticket(bytes(16), 7), "y", RING),
        tickets.sign_ticket(tickets.Ticket(bytes(16), 7), "x", Keyring.parse("t0:" + "33" * 32)),
    ],
)
def test_join_ignores_a_ticket_that_is_not_ours(gate: Caller, lobby: Redis, value: str) -> None:
    assert gate.post("/line/x/join", JSON, cookies=f"ticket-x={value}").json == {"index": 0}


def test_joins_of_one_turn_of_the_loop_are_one_call(gate: Caller, lobby: Redis) -> None:
    gate.join(A)
    lobby.config_resetstat()

    async def crowd() -> list[Reply]:
        posts = (
            gate.ask(
                "POST", "/line/x/join", JSON | {"sec-fetch-site": "same-origin", "x-client-key": f"{n:032x}"}
            )
            for n in range(900)
        )
        return await asyncio.gather(*posts)

    replies = gate.run(crowd())

    assert sorted(reply.json["index"] for reply in replies) == list(range(1, 901))
    assert lobby.info("commandstats")["cmdstat_evalsha"]["calls"] == 2  # of 500 and of 400


def test_join_before_the_lobby_is_refused_from_memory_with_the_time(gate: Caller, server: Redis) -> None:
    opens = int(time()) + 100
    adopt(server, lobby=opens)
    server.config_resetstat()
    reply = gate.join()

    assert (reply.status, reply.headers["retry-after"], reply.json["lobby_opens"]) == (409, "30", opens)
    assert reply.json["detail"].startswith("The line isn't open yet. It opens at ")
    assert "cmdstat_evalsha" not in server.info("commandstats")


def test_join_in_the_last_second_before_the_lobby_is_decided_by_redis(gate: Caller, server: Redis) -> None:
    adopt(server, lobby=0)
    gate.join(A)
    server.hset(keys.state("x"), "lobby", int(time()) + 100)

    assert gate.join(B).status == 409


def test_join_is_410_when_the_drop_is_closed(gate: Caller, lobby: Redis) -> None:
    gate.join(A)
    publish(lobby, closed=True)

    assert gate.join(B).status == 410
    gate.sees(lambda drop: drop.closed)
    assert gate.join(B).json["detail"] == "This drop has ended. Paid orders will be shipped."


def test_join_is_503_at_the_counter_limit_until_it_is_raised(
    gate: Caller, server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "HOLD_SECONDS", 0.0)
    adopt(server, limit=1)
    gate.join(A)
    reply = gate.join(B)

    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    publish(server, limit=2)
    assert gate.join(B).json == {"index": 1}


def crowd(gate: Caller, clients: range) -> "Future[list[Reply]]":
    """Let a crowd join within one turn of the loop."""

    async def all_at_once() -> list[Reply]:
        posts = (
            gate.ask("POST", "/line/x/join", JSON | OURS | {"x-client-key": f"{n:032x}"}) for n in clients
        )
        return await asyncio.gather(*posts)

    return gate.later(all_at_once())


@pytest.mark.parametrize("steps", [[1200], [500, 501, 1200], [3, 1199, 1200]])
def test_joins_at_the_counter_limit_are_held_in_order_until_it_is_raised(
    gate: Caller, server: Redis, steps: list[int]
) -> None:
    adopt(server, limit=2)
    waiting = crowd(gate, range(1200))
    until(lambda: lua.read_state(server, "x").number("counter") == 2, "the limit")
    for limit in steps:
        publish(server, limit=limit)
        until(lambda limit=limit: lua.read_state(server, "x").number("counter") == limit, "the joins")  # type: ignore[misc]

    replies = waiting.result(SECONDS)

    assert [reply.json["index"] for reply in replies] == list(range(1200))
    assert gate.gate.joins.limited_since == {}


def test_joins_that_are_held_cost_redis_one_call_at_a_time(gate: Caller, server: Redis) -> None:
    adopt(server, limit=0)
    server.config_resetstat()
    waiting = crowd(gate, range(3000))
    replies = waiting.result(SECONDS)

    assert {reply.status for reply in replies} == {503}
    assert lua.read_state(server, "x").number("counter") == 0
    calls = server.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert calls <= 1 + batches.HOLD_SECONDS / batches.LIMIT_POLL_SECONDS + 2


@pytest.mark.parametrize("end", ["closed", "emptied"])
def test_joins_that_are_held_hear_at_once_that_waiting_is_useless(
    gate: Caller, server: Redis, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "HOLD_SECONDS", 60.0)
    adopt(server, limit=0)
    waiting = crowd(gate, range(10))
    until(lambda: "x" in gate.gate.joins.limited_since, "the limit")
    if end == "closed":
        publish(server, closed=True)
    else:
        server.flushall()

    assert {reply.status for reply in waiting.result(SECONDS)} == {410 if end == "closed" else 503}


def test_a_held_join_whose_shopper_hangs_up_takes_no_index(gate: Caller, server: Redis) -> None:
    adopt(server, limit=0)
    gone, stays = crowd(gate, range(10)), crowd(gate, range(10, 20))
    until(lambda: "x" in gate.gate.joins.limited_since, "the limit")
    gone.cancel()
    publish(server, limit=1000)

    assert sorted(reply.json["index"] for reply in stays.result(SECONDS)) == list(range(10))


def test_join_of_an_unknown_drop_is_503(gate: Caller) -> None:
    assert gate.join().status == 503


def test_join_on_an_emptied_redis_is_503_and_resumes_at_the_committed_limit(
    gate: Caller, lobby: Redis
) -> None:
    gate.join(A)
    lobby.flushall()
    refused = gate.join(B)
    adopt(lobby, epoch=2, counter=1000, limit=2000)

    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert gate.join(B).json == {"index": 1000}


def test_join_without_redis_is_503_and_resumes_when_it_is_back(
    mortal: RedisServer, environment: pytest.MonkeyPatch, caller: Caller
) -> None:
    environment.setenv("LINE_REDIS_URL", mortal.url)
    caller.start()
    adopt(mortal.redis)
    until(lambda: caller.join(A).status == 200, "the first join")
    mortal.kill()
    refused = caller.join(B)
    mortal.start()
    adopt(mortal.redis, epoch=2, counter=1000, limit=2000)

    assert refused.status == 503
    until(lambda: caller.join(B).status == 200, "a join after the restart")
    assert caller.join(B).json == {"index": 1000}
    caller.stop()


def test_join_after_the_seal_is_placed_behind_the_lobby(gate: Caller, lobby: Redis) -> None:
    gate.join(A)
    n = lua.close_lobby(lobby, "x", term=1)
    called(lobby, n=n, cursor=0, allowance=0)

    assert gate.join(B).json == {"index": 1}


def test_join_refuses_a_long_body(gate: Caller, lobby: Redis) -> None:
    assert gate.post("/line/x/join", FORM, b"key=" + 5000 * b"a").status == 413


def test_join_of_a_client_that_hangs_up_leaves_the_others_theirs(gate: Caller, lobby: Redis) -> None:
    gate.join(A)

    async def two() -> Reply:
        headers = [JSON | {"sec-fetch-site": "same-origin", "x-client-key": key} for key in ("c" * 32, B)]
        gone, stays = (asyncio.create_task(gate.ask("POST", "/line/x/join", each)) for each in headers)
        while not gate.gate.joins.workers:
            await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert gate.run(two()).json == {"index": 1}


def test_join_whose_batch_fails_unexpectedly_fails_at_once_and_the_next_succeeds(
    gate: Caller, lobby: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    gate.join(A)
    redis, gate.gate.joins.redis = gate.gate.joins.redis, None  # type: ignore[assignment]  # any bug will do

    async def crowd() -> list[Reply]:
        headers = [JSON | OURS | {"x-client-key": f"{n:032x}"} for n in range(3)]
        posts = (gate.ask("POST", "/line/x/join", each) for each in headers)
        return await asyncio.gather(*posts)

    failed = gate.run(crowd())
    gate.gate.joins.redis = redis

    assert [reply.status for reply in failed] == [503] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "A batch of joins failed unexpectedly (drop x) (failure 1 of this process)"
    ]
    assert gate.join(B).json == {"index": 1}
