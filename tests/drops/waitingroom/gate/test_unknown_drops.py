"""Slugs that no announced drop has, told from a Redis that was emptied."""

import asyncio
from itertools import product

import pytest
from redis import Redis

from drops.waitingroom.protocol import keys, lua
from tests.drops.waitingroom.gate.conftest import Caller, Reply
from tests.drops.waitingroom.protocol.servers import RedisServer, adopt
from tests.servers import until

HTML, JSON = "text/html,application/xhtml+xml", "application/json"
PROBLEM = "application/problem+json"
CONTENT_TYPES = {HTML: "text/html", JSON: PROBLEM}  # by what is asked for
PATHS = ["/line/{}/", "/line/{}/status.json"]
UNKNOWN = ["nothing", "X", "x-", "0", "-x", "a" * 50]


@pytest.fixture
def listed(lobby: Redis, gate: Caller) -> Redis:
    """Drop x, which the gatekeeper has announced to gates."""
    lua.list_announced(lobby, ["x"])
    until(lambda: gate.gate.cache.announced, "the list")
    return lobby


def test_a_slug_that_is_not_listed_is_404_in_the_format_asked_for(gate: Caller, listed: Redis) -> None:
    for path, slug, accept in product(PATHS, UNKNOWN, CONTENT_TYPES):
        reply = gate.get(path.format(slug), {"accept": accept})

        assert reply.status == 404, (path, slug, accept)
        assert reply.headers["content-type"].startswith(CONTENT_TYPES[accept])
        assert (reply.headers["cache-control"], reply.headers["vary"]) == ("public, s-maxage=5", "Accept")
        assert "We can't find that page." in reply.body.replace("&#x27;", "'")


def test_the_status_of_an_unknown_drop_is_a_document_unless_a_browser_asks(
    gate: Caller, listed: Redis
) -> None:
    for headers in ({}, {"accept": "*/*"}, {"accept": "application/json, */*"}):
        reply = gate.get("/line/nothing/status.json", headers)
        assert reply.headers["content-type"] == PROBLEM, headers


@pytest.mark.parametrize("action", ["join", "enter"])
def test_nobody_joins_or_enters_an_unknown_drop(gate: Caller, listed: Redis, action: str) -> None:
    assert gate.post(f"/line/nothing/{action}", {"accept": JSON}).status == 404


@pytest.mark.parametrize("path", PATHS)
def test_a_listed_drop_is_served(gate: Caller, listed: Redis, path: str) -> None:
    assert gate.get(path.format("x")).status == 200


@pytest.mark.parametrize("loss", ["emptied", "keys of the drop"])
@pytest.mark.parametrize("path", PATHS)
def test_a_drop_that_redis_lost_is_503(gate: Caller, listed: Redis, loss: str, path: str) -> None:
    if loss == "emptied":
        listed.flushall()
        until(lambda: gate.gate.cache.announced is None, "the loss")
    else:
        lua.list_announced(listed, ["y"])
        until(lambda: "y" in (gate.gate.cache.announced or ()), "the list")

    assert gate.get(path.format("y"), {"accept": JSON}).status == 503


def test_a_list_without_any_drop_is_present(gate: Caller, server: Redis) -> None:
    lua.list_announced(server, [])
    until(lambda: gate.gate.cache.announced, "the list")

    assert gate.get("/line/x/status.json", {"accept": JSON}).status == 404
    assert not keys.SLUG.fullmatch(keys.NO_DROP)


def test_unknown_slugs_cost_redis_nothing(gate: Caller, listed: Redis) -> None:
    async def crawl() -> list[Reply]:
        return await asyncio.gather(*(gate.ask("GET", f"/line/made-up-{n}/status.json") for n in range(500)))

    listed.config_resetstat()
    assert {reply.status for reply in gate.run(crawl())} == {404}

    assert "cmdstat_evalsha" not in listed.info("commandstats")
    assert gate.gate.cache.unknown_until == {}


def test_a_drop_that_was_just_announced_is_served_as_soon_as_it_is_listed(
    gate: Caller, listed: Redis
) -> None:
    assert gate.get("/line/new/status.json").status == 404
    adopt(listed, "new", status='{"v": 1}')
    lua.list_announced(listed, ["new"])

    until(lambda: gate.get("/line/new/status.json").status == 200, "the new drop")


def test_without_redis_an_old_list_says_nothing(
    mortal: RedisServer, environment: pytest.MonkeyPatch, caller: Caller
) -> None:
    environment.setenv("LINE_REDIS_URL", mortal.url)
    caller.start()
    lua.list_announced(mortal.redis, ["x"])
    until(lambda: caller.gate.cache.announced, "the list")
    assert caller.get("/line/nothing/status.json").status == 404
    mortal.kill()
    caller.gate.cache.announced_at -= 60

    assert caller.get("/line/nothing/status.json", {"accept": JSON}).status == 503
    mortal.start()
    caller.stop()
