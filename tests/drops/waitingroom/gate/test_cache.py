import asyncio
import json
import time

import pytest
from redis import Redis

from drops.waitingroom.gate import app
from drops.waitingroom.gate.cache import MAX_UNKNOWN_SLUGS, REFRESH_SECONDS
from drops.waitingroom.protocol import keys, status
from tests.drops.waitingroom.gate.conftest import Caller, Reply, now_document
from tests.drops.waitingroom.protocol.servers import RedisServer, adopt, publish
from tests.servers import until


def gets(server: Redis) -> int:
    return int(server.info("commandstats").get("cmdstat_hgetall", {"calls": 0})["calls"])


def test_status_is_served_from_memory_and_cacheable(gate: Caller, lobby: Redis) -> None:
    gate.get("/line/x/status.json")
    lobby.config_resetstat()

    async def crowd() -> list[Reply]:
        return await asyncio.gather(*(gate.ask("GET", "/line/x/status.json") for _ in range(300)))

    replies = gate.run(crowd())

    document = lobby.get(keys.status("x"))
    assert isinstance(document, bytes)
    assert {(reply.status, reply.body) for reply in replies} == {(200, document.decode())}
    kept, _, stale = replies[0].headers["cache-control"].rpartition("=")
    assert (
        8 <= int(stale) <= 11
    )  # seconds, in which the document that was new in the test's beginning is usable
    assert replies[0].headers == {
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "content-type": "application/json",
        "cache-control": f"{kept}={stale}",
        "content-length": str(len(replies[0].body)),
    }
    assert replies[0].set_cookies == []
    assert gets(lobby) <= 2  # of the background look, not of the 300


@pytest.mark.parametrize(
    ("age", "stale"), [(-3, 11), (0, 11), (0.5, 10), (4, 7), (10.9, 0), (11, 0), (15, 0), (3600, 0)]
)
def test_the_edge_may_serve_a_status_until_it_could_be_15_s_old(age: float, stale: int) -> None:
    document = status.decode(now_document())

    assert app.stale_seconds(document, document["now"] + age) == stale


def test_the_edge_may_not_serve_an_unreadable_status() -> None:
    assert app.stale_seconds(None, time.time()) == 0


def test_status_of_a_first_crowd_is_one_read_of_redis(gate: Caller, lobby: Redis) -> None:
    lobby.config_resetstat()

    async def crowd() -> list[Reply]:
        return await asyncio.gather(*(gate.ask("GET", "/line/x/status.json") for _ in range(100)))

    assert {reply.status for reply in gate.run(crowd())} == {200}
    assert gets(lobby) <= 2


def test_status_follows_redis_within_a_second(gate: Caller, lobby: Redis) -> None:
    gate.get("/line/x/status.json")
    publish(lobby, status=now_document(tick=2))

    until(lambda: gate.get("/line/x/status.json").json["tick"] == 2, "the next document")


def test_status_of_an_unknown_slug_is_read_once_a_second(gate: Caller, server: Redis) -> None:
    server.config_resetstat()
    replies = [gate.get("/line/nothing/status.json") for _ in range(50)]

    assert {reply.status for reply in replies} == {503}
    assert replies[0].headers["cache-control"] == "no-store"
    assert gets(server) <= 2


def test_status_of_a_slug_becomes_known_when_the_drop_is_announced(gate: Caller, server: Redis) -> None:
    before = gate.get("/line/x/status.json").status
    adopt(server, status=now_document())

    assert before == 503
    until(lambda: gate.get("/line/x/status.json").status == 200, "the announced drop")


def test_status_is_unknown_when_absent_or_unreadable(gate: Caller, server: Redis) -> None:
    adopt(server)
    none = gate.get("/line/x/status.json").status
    publish(server, status="{}")
    gate.sees(lambda drop: drop.status_json == b"{}")

    assert none == 503
    assert gate.gate.cache.drops["x"].status is None


def test_cache_is_not_filled_by_made_up_slugs(gate: Caller, server: Redis) -> None:
    gate.gate.cache.unknown_until.update({str(number): float("inf") for number in range(MAX_UNKNOWN_SLUGS)})
    gate.get("/line/nothing/status.json")

    assert list(gate.gate.cache.unknown_until) == ["nothing"]


def test_cache_evicts_drops_that_nobody_asks_for(gate: Caller, lobby: Redis) -> None:
    gate.get("/line/x/status.json")
    gate.gate.cache.requested_at["x"] -= 11

    until(lambda: gate.gate.cache.drops == {} and gate.gate.cache.requested_at == {}, "the forgetting")


def test_cache_outlives_a_short_loss_of_redis_only(gate: Caller, lobby: Redis) -> None:
    gate.get("/line/x/status.json")
    lobby.flushall()
    kept = gate.get("/line/x/status.json").status
    gate.gate.cache.drops["x"].loaded_at -= status.FRESH_SECONDS + 1

    assert kept == 200
    until(lambda: gate.get("/line/x/status.json").status == 503, "the end of the memory")


def test_redis_going_and_coming_is_logged_once_each(
    mortal: RedisServer, environment: pytest.MonkeyPatch, caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    environment.setenv("LINE_REDIS_URL", mortal.url)
    adopt(mortal.redis, status=now_document())
    caller.start()
    caller.get("/line/x/status.json")
    mortal.kill()
    until(lambda: not caller.gate.cache.reachable, "the loss")
    stale = caller.get("/line/x/status.json").status
    mortal.start()
    caller.get("/line/x/status.json")
    until(lambda: caller.gate.cache.reachable, "the return")
    caller.stop()

    assert stale == 200
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "The waiting room's Redis is unreachable",
        "The waiting room's Redis is reachable again",
    ]


@pytest.mark.parametrize("theme", [{}, {"title": "Größe"}])
def test_cache_keeps_the_theme(gate: Caller, server: Redis, theme: dict[str, str]) -> None:
    adopt(server, theme=theme, status=now_document())
    gate.get("/line/x/")

    assert gate.gate.cache.drops["x"].theme == json.loads(json.dumps(theme))


def test_refreshing_survives_an_unexpected_error_and_logs_it_once(
    gate: Caller, lobby: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    gate.get("/line/x/status.json")
    cache = gate.gate.cache
    redis, cache.redis = cache.redis, None  # type: ignore[assignment]  # any bug will do
    until(lambda: caplog.records, "the error in the log")
    later = time.monotonic() + 2 * REFRESH_SECONDS
    until(lambda: time.monotonic() > later, "another refresh")
    cache.redis = redis
    publish(lobby, status=now_document(tick=2))

    until(lambda: gate.get("/line/x/status.json").json["tick"] == 2, "the next document")
    assert [record.getMessage() for record in caplog.records] == ["The cache can't be refreshed; retrying"]


def test_an_unreadable_drop_is_unknown_and_keeps_no_other_from_being_refreshed(
    gate: Caller, lobby: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    lobby.hset(keys.state("broken"), mapping={"epoch": "1", "limit": "1", "cursor": "a"})
    broken = [gate.get("/line/broken/status.json").status for _ in range(2)]
    adopt(lobby, slug="y", status=now_document())
    gate.get("/line/y/status.json")
    lobby.hset(keys.state("y"), "cursor", "a")
    gate.get("/line/x/status.json")
    publish(lobby, status=now_document(tick=2))

    until(lambda: gate.get("/line/x/status.json").json["tick"] == 2, "the next document")
    assert broken == [503, 503]
    assert gate.get("/line/y/status.json").status == 200  # the copy is good for another 15 s
    assert [record.getMessage() for record in caplog.records] == [
        "What Redis holds of drop broken is unreadable",
        "What Redis holds of drop y is unreadable",
    ]
