import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
import stripe

from deploy.local.stripe_sandbox import journal, shapes, store
from deploy.local.stripe_sandbox.config import Refused
from tests.deploy.stripe_sandbox.process import SandboxProcess
from tests.servers import until

Own = Callable[..., SandboxProcess]
Found = TypeVar("Found")


def test_kill_9_loses_nothing_that_was_answered(own_sandbox: Own) -> None:
    sandbox = own_sandbox()
    intent = sandbox.confirmed()
    captured = sandbox.client.v1.payment_intents.capture(intent.id, {}, {"idempotency_key": "capture"})
    declined = sandbox.intent()
    token = sandbox.token("pm_card_visa_chargeDeclined")
    with pytest.raises(stripe.CardError) as first:
        sandbox.client.v1.payment_intents.confirm(
            declined.id, {"confirmation_token": token}, {"idempotency_key": "confirm"}
        )
    unused = sandbox.token()
    events = [event.id for event in sandbox.client.v1.events.list({"limit": 100}).data]

    sandbox.kill()
    sandbox.start()

    assert sandbox.client.v1.payment_intents.retrieve(intent.id).to_dict() == captured.to_dict()
    replayed = sandbox.client.v1.payment_intents.capture(intent.id, {}, {"idempotency_key": "capture"})
    assert replayed.to_dict() == captured.to_dict()
    with pytest.raises(stripe.CardError) as second:
        sandbox.client.v1.payment_intents.confirm(
            declined.id, {"confirmation_token": token}, {"idempotency_key": "confirm"}
        )
    assert second.value.json_body == first.value.json_body
    assert [event.id for event in sandbox.client.v1.events.list({"limit": 100}).data] == events
    confirmed = sandbox.client.v1.payment_intents.confirm(declined.id, {"confirmation_token": unused})
    assert confirmed.status == "requires_capture"


def test_kill_9_under_load_keeps_every_answer(own_sandbox: Own) -> None:
    sandbox = own_sandbox()
    answered: list[stripe.PaymentIntent] = []
    stop = threading.Event()

    def buy(worker: int) -> None:
        for turn in itertools.count():
            if stop.is_set():
                return
            try:
                answered.append(
                    sandbox.client.v1.payment_intents.create(
                        {"amount": 9600, "currency": "eur"}, {"idempotency_key": f"{worker}-{turn}"}
                    )
                )
            except stripe.APIConnectionError:
                return

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(buy, worker) for worker in range(4)]
        until(lambda: len(answered) > 50)
        sandbox.kill()
        for worker in workers:
            worker.result(30)
        stop.set()
    sandbox.start()

    kept = {intent.id for intent in sandbox.client.v1.payment_intents.list({"limit": 100}).auto_paging_iter()}
    assert {intent.id for intent in answered} - kept == set()
    assert len(kept) <= len(answered) + 4  # those under way when it died
    again = sandbox.client.v1.payment_intents.create({"amount": 9600, "currency": "eur"}, {"idempotency_key": "0-0"})
    assert again.id in {intent.id for intent in answered}


def run(work: Callable[[], Coroutine[Any, Any, Found]]) -> Found:
    """Run it in an event loop; in a thread, as a browser's loop may be running in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result(30)


def write(folder: Path, *lines: list[tuple[str, str]]) -> None:
    async def append() -> None:
        kept = journal.Journal(folder)
        for line in lines:
            kept.append(line)
        await kept.durable()
        kept.close()

    run(append)


def replayed(folder: Path) -> list[object]:
    kept = journal.Journal(folder)
    entries: list[object] = [entry for _, line in kept.replay() for entry in line]
    kept.close()
    return entries


def test_torn_last_line_is_cut_off(tmp_path: Path) -> None:
    write(tmp_path, [("a", "1")], [("b", "2")])
    file = tmp_path / "journal.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole + b'[["c",{"id":')

    assert replayed(tmp_path) == [["a", 1], ["b", 2]]
    assert file.read_bytes() == whole


def test_last_line_without_its_end_is_cut_off(tmp_path: Path) -> None:
    write(tmp_path, [("a", "1")], [("b", "2")])
    file = tmp_path / "journal.jsonl"
    file.write_bytes(file.read_bytes()[:-1])

    assert replayed(tmp_path) == [["a", 1]]


def test_damage_before_the_end_stops_the_start(tmp_path: Path) -> None:
    write(tmp_path, [("a", "1")], [("b", "2")])
    file = tmp_path / "journal.jsonl"
    file.write_bytes(b"junk" + file.read_bytes()[4:])

    with pytest.raises(Refused, match="damaged at byte 0"):
        replayed(tmp_path)


def test_second_writer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LOCK_SECONDS", 0.0)
    first = journal.Journal(tmp_path)

    with pytest.raises(Refused, match="Another sandbox"):
        journal.Journal(tmp_path)
    first.close()


def test_compacted_journal_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fill() -> store.Store:
        kept = store.Store(journal.Journal(tmp_path), subscribed=frozenset())
        kept.load()
        intent = shapes.fresh("payment_intent", id="pi_1", amount=0)
        for amount in range(20):
            change = store.Change(kept, request="req_1", key=f"k{amount}")
            intent["amount"] = amount
            change.keep(intent, card="visa")
            change.tell("payment_intent.created", intent)
            answer = {"key": f"k{amount}", "path": "/v1/payment_intents", "print": "p", "status": 200}
            change.answer(answer | {"request": "req_1", "at": shapes.now(), "body": intent})
            kept.commit(change)
        for event in list(kept.events)[:5]:
            kept.delivered(event)
        await kept.journal.durable()
        kept.journal.close()
        return kept

    before = run(fill)
    size = (tmp_path / "journal.jsonl").stat().st_size
    monkeypatch.setattr(journal, "COMPACT_ABOVE", 1000)

    after = store.Store(journal.Journal(tmp_path), subscribed=frozenset())
    after.load()

    assert (tmp_path / "journal.jsonl").stat().st_size < size
    assert after.get("payment_intent", "pi_1")["amount"] == 19
    assert (after.order, after.created, after.cards) == (before.order, before.created, before.cards)
    assert list(after.undelivered) == list(before.undelivered)
    answer = after.answer("k7")
    assert answer is not None
    assert json.loads(after.body(answer))["amount"] == 7
    assert after.event(list(after.events)[3])["data"]["object"]["amount"] == 3
    after.journal.close()


def test_answer_older_than_a_day_is_forgotten(tmp_path: Path) -> None:
    body = {"key": "old", "path": "/", "print": "p", "status": 200, "request": "req_1", "body": {}}
    write(tmp_path, [("answer", json.dumps(body | {"at": shapes.now() - 86401}))])
    kept = store.Store(journal.Journal(tmp_path), subscribed=None)
    kept.load()

    assert kept.answer("old") is None
    kept.journal.close()
