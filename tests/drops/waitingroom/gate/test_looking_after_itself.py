"""A gate whose parts fail: they are restarted, logged and counted, and every request has an answer."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from redis import Redis

from drops.waitingroom.gate import app, batches, cache, supervision
from drops.waitingroom.gate.cache import DropCache
from drops.waitingroom.protocol import lua
from tests.drops.waitingroom.gate.conftest import JSON, OURS, Caller, Reply, now_document
from tests.drops.waitingroom.protocol.servers import publish
from tests.servers import until

HTML = {"accept": "text/html"}


class Bug(Exception):
    """Any bug."""


def test_failures_are_counted_and_rarely_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A crowd would write thousands of tracebacks a second."""
    failures = supervision.Failures()
    for _ in range(100):
        failures.record("A request failed unexpectedly", Bug())

    assert failures.count == 100
    assert [record.getMessage() for record in caplog.records] == [
        "A request failed unexpectedly (failure 1 of this process)"
    ]


def health(gate: Caller) -> Any:
    return gate.get("/line/healthz").json


def crowd(gate: Caller, count: int) -> list[Reply]:
    """Let several join drop x at once."""

    async def all_at_once() -> list[Reply]:
        headers = [JSON | OURS | {"x-client-key": f"{n:032x}"} for n in range(count)]
        return await asyncio.gather(*(gate.ask("POST", "/line/x/join", each) for each in headers))

    return gate.run(all_at_once())


def task_of(gate: Caller) -> "asyncio.Task[None]":
    task = gate.gate.refresher.task
    assert task is not None
    return task


class TestRefreshing:
    """The task that keeps the copy of the drops fresh."""

    @pytest.mark.parametrize("end", ["cancelled", "a bug outside of a round", "no exception at all"])
    def test_is_restarted_logged_and_counted(
        self, gate: Caller, lobby: Redis, caplog: pytest.LogCaptureFixture, end: str
    ) -> None:
        gate.get("/line/x/status.json")
        refresher, original = gate.gate.refresher, gate.gate.cache.keep_fresh

        async def work() -> None:
            refresher.work = original
            if end.startswith("a bug"):
                raise Bug

        refresher.work = work if end != "cancelled" else original
        gate.loop.call_soon_threadsafe(task_of(gate).cancel)
        until(lambda: refresher.restarts == (1 if end == "cancelled" else 2), "the restarts")
        publish(lobby, status=now_document(tick=2))

        until(lambda: gate.get("/line/x/status.json").json["tick"] == 2, "the next document")
        assert caplog.records[0].getMessage() == (
            "Refreshing the drops has ended; restarting it (failure 1 of this process)"
        )
        assert health(gate) == {
            "ready": True,
            "faults": {},
            "restarts": refresher.restarts,
            "failures": refresher.restarts,
        }

    def test_is_not_ready_meanwhile(
        self, gate: Caller, lobby: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supervision, "RESTART_SECONDS", 60)
        assert gate.get("/line/healthz").status == 200
        gate.loop.call_soon_threadsafe(task_of(gate).cancel)
        until(lambda: task_of(gate).done(), "the end of the task")

        assert gate.get("/line/healthz").status == 503
        assert list(health(gate)["faults"]) == ["cache"]
        assert gate.get("/line/x/status.json").status == 200  # whoever asks is still served

    @pytest.mark.parametrize("fault", ["hangs", "fails"])
    def test_is_not_ready_while_every_round_fails_or_hangs(
        self, gate: Caller, lobby: Redis, monkeypatch: pytest.MonkeyPatch, fault: str
    ) -> None:
        gate.get("/line/x/status.json")
        original = DropCache.refresh
        monkeypatch.setattr(cache, "STALLED_SECONDS", 0.6)

        async def broken(_self: DropCache) -> None:
            if fault == "hangs":
                await asyncio.sleep(3600)
            raise Bug

        monkeypatch.setattr(DropCache, "refresh", broken)
        until(lambda: list(health(gate)["faults"]) == ["cache"], "the fault")

        monkeypatch.setattr(DropCache, "refresh", original)
        monkeypatch.setattr(cache, "STALLED_SECONDS", 5.0)
        until(lambda: health(gate)["ready"], "readiness")
        publish(lobby, status=now_document(tick=2))
        until(lambda: gate.get("/line/x/status.json").json["tick"] == 2, "the next document")

    def test_stops_with_the_process_without_a_word(
        self, gate: Caller, caplog: pytest.LogCaptureFixture
    ) -> None:
        gate.run(gate.gate.stop())

        assert not gate.gate.refresher.is_running
        assert (caplog.records, gate.gate.refresher.restarts) == ([], 0)


class TestJoins:
    """Joins whose batch fails have an answer, and the next ones an index."""

    @pytest.mark.parametrize("part", ["_take", "_send", "_resolve"])
    @pytest.mark.parametrize("count", [1, 3, batches.MAX_JOINS_PER_CALL + 2])
    def test_all_of_them_have_an_answer(
        self, gate: Caller, lobby: Redis, monkeypatch: pytest.MonkeyPatch, part: str, count: int
    ) -> None:
        def broken(*_: object) -> Any:
            raise Bug

        with monkeypatch.context() as patched:
            patched.setattr(gate.gate.joins, part, broken)
            replies = crowd(gate, count)

        assert {reply.status for reply in replies} == {503}
        assert {reply.headers["retry-after"] for reply in replies} == {"2"}
        assert (gate.gate.joins.workers, gate.gate.joins.waiting) == ({}, {})
        assert list(health(gate)["faults"]) == ["joins"]
        assert sorted(reply.json["index"] for reply in crowd(gate, count)) == list(range(count))

    def test_control_a_worker_that_leaves_them_behind_makes_them_wait(
        self, gate: Caller, lobby: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The careless worker; nothing but the bound on every request answers its joins."""
        monkeypatch.setattr(app, "ANSWER_SECONDS", 1.0)

        async def careless(slug: str) -> None:
            gate.gate.joins.waiting.pop(slug)
            del gate.gate.joins.workers[slug]

        monkeypatch.setattr(gate.gate.joins, "_work", careless)
        replies = crowd(gate, 3)

        assert {reply.status for reply in replies} == {503}
        assert gate.gate.failures.count == 3

    def test_a_process_that_stops_refuses_those_that_wait(self, gate: Caller, lobby: Redis) -> None:
        lobby.hset("line1:{x}:state", "limit", 0)
        joins = gate.later(gate.ask("POST", "/line/x/join", JSON | OURS))
        until(lambda: gate.gate.joins.waiting.get("x"), "the join")
        gate.run(gate.gate.joins.stop())

        assert joins.result(10).status == 503

    def test_a_refusal_of_the_script_is_no_failure(self, gate: Caller, lobby: Redis) -> None:
        lobby.hset("line1:{x}:state", "closed", 1)
        replies = crowd(gate, 3)

        assert {reply.status for reply in replies} == {410}
        assert (health(gate)["ready"], health(gate)["failures"]) == (True, 0)

    def test_is_ready_again_a_moment_after_a_failure(
        self, gate: Caller, lobby: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(batches, "FAILING_SECONDS", 0.2)
        with monkeypatch.context() as patched:
            patched.setattr(lua, "join_call", None)
            crowd(gate, 1)

        until(lambda: health(gate)["ready"], "readiness")


async def fail(*_: object) -> Any:
    raise Bug


async def hang(*_: object) -> Any:
    await asyncio.sleep(3600)


@pytest.mark.parametrize("headers", [JSON, HTML], ids=["script", "page"])
@pytest.mark.parametrize("fault", [fail, hang], ids=["fails", "hangs"])
def test_a_request_that_fails_or_hangs_has_an_answer(
    gate: Caller,
    lobby: Redis,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[..., Coroutine[Any, Any, Any]],
    headers: dict[str, str],
) -> None:
    monkeypatch.setattr(app, "ANSWER_SECONDS", 0.2)
    asked = [("GET", ""), ("GET", "status.json"), ("POST", "enter"), ("POST", "join")]
    with monkeypatch.context() as patched:
        patched.setattr(app, "call_endpoint", fault)
        replies = [gate.run(gate.ask(method, f"/line/x/{path}", OURS | headers)) for method, path in asked]

    assert {(reply.status, reply.headers["retry-after"]) for reply in replies} == {(503, "2")}
    assert {"Your place is" in reply.body for reply in replies} == {True}
    assert health(gate)["failures"] == len(asked)
    assert gate.get("/line/x/status.json").status == 200
