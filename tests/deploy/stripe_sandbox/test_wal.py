import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import stripe

from deploy.local.stripe_sandbox import objects, wal
from deploy.local.stripe_sandbox.store import Store, Transaction
from tests.deploy.stripe_sandbox.event_loop import run
from tests.deploy.stripe_sandbox.process import StartSandbox
from tests.servers import until


def test_kill_9_loses_nothing_that_was_answered(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox()
    intent = sandbox.confirmed_intent()
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


def test_kill_9_under_load_keeps_every_answer(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox()
    answered: list[stripe.PaymentIntent] = []
    stop = threading.Event()

    def create_intents(worker: int) -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            try:
                answered.append(
                    sandbox.client.v1.payment_intents.create(
                        {"amount": 9600, "currency": "eur"}, {"idempotency_key": f"{worker}-{number}"}
                    )
                )
            except stripe.APIConnectionError:
                return

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(create_intents, worker) for worker in range(4)]
        until(lambda: len(answered) > 50)
        sandbox.kill()
        for worker in workers:
            worker.result(30)
        stop.set()
    sandbox.start()

    kept = {intent.id for intent in sandbox.client.v1.payment_intents.list({"limit": 100}).auto_paging_iter()}
    assert {intent.id for intent in answered} - kept == set()
    assert len(kept) <= len(answered) + 4  # those in progress when it was killed
    again = sandbox.client.v1.payment_intents.create(
        {"amount": 9600, "currency": "eur"}, {"idempotency_key": "0-0"}
    )
    assert again.id in {intent.id for intent in answered}


def write(folder: Path, *records: list[tuple[str, str]]) -> None:
    async def append() -> None:
        log = wal.WriteAheadLog(folder)
        for record in records:
            log.append(record)
        await log.flush()
        log.close()

    run(append)


def replay(folder: Path) -> list[object]:
    log = wal.WriteAheadLog(folder)
    entries: list[object] = [entry for _, record in log.replay() for entry in record]
    log.close()
    return entries


def test_replay_cuts_off_a_torn_last_record(tmp_path: Path) -> None:
    write(tmp_path, [("a", "1")], [("b", "2")])
    file = tmp_path / wal.FILE_NAME
    whole = file.read_bytes()
    file.write_bytes(whole + b'[["c",{"id":')

    assert replay(tmp_path) == [["a", 1], ["b", 2]]
    assert file.read_bytes() == whole


def test_replay_cuts_off_a_last_record_without_a_newline(tmp_path: Path) -> None:
    write(tmp_path, [("a", "1")], [("b", "2")])
    file = tmp_path / wal.FILE_NAME
    file.write_bytes(file.read_bytes()[:-1])

    assert replay(tmp_path) == [["a", 1]]


def test_replay_refuses_damage_before_the_last_record(tmp_path: Path) -> None:
    write(tmp_path, [("a", "1")], [("b", "2")])
    file = tmp_path / wal.FILE_NAME
    file.write_bytes(b"junk" + file.read_bytes()[4:])

    with pytest.raises(wal.WalError, match="damaged at byte 0"):
        replay(tmp_path)


def test_second_writer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wal, "LOCK_TIMEOUT_SECONDS", 0.0)
    first = wal.WriteAheadLog(tmp_path)

    with pytest.raises(wal.WalError, match="Another sandbox"):
        wal.WriteAheadLog(tmp_path)
    first.close()


def response(key: str, *, saved_at: int, body: object) -> dict[str, Any]:
    return {
        "key": key,
        "path": "/v1/payment_intents",
        "fingerprint": "f",
        "status": 200,
        "request_id": "req_1",
        "saved_at": saved_at,
        "body": body,
    }


def test_compaction_keeps_objects_events_and_responses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fill() -> Store:
        store = Store(wal.WriteAheadLog(tmp_path), subscribed=frozenset())
        store.load()
        intent = objects.new("payment_intent", id="pi_1", amount=0)
        for amount in range(20):
            transaction = Transaction(store, request_id="req_1", idempotency_key=f"k{amount}")
            intent["amount"] = amount
            transaction.save(intent, test_card="visa")
            transaction.emit("payment_intent.created", intent)
            transaction.save_response(response(f"k{amount}", saved_at=objects.unix_time(), body=intent))
            store.commit(transaction)
        for event_id in list(store.events)[:5]:
            store.mark_delivered(event_id)
        await store.wal.flush()
        store.wal.close()
        return store

    before = run(fill)
    size = (tmp_path / wal.FILE_NAME).stat().st_size
    monkeypatch.setattr(wal, "COMPACTION_BYTES", 1000)

    after = Store(wal.WriteAheadLog(tmp_path), subscribed=frozenset())
    after.load()

    assert (tmp_path / wal.FILE_NAME).stat().st_size < size
    assert after.get("payment_intent", "pi_1")["amount"] == 19
    assert (after.ids, after.created, after.test_cards) == (before.ids, before.created, before.test_cards)
    assert list(after.undelivered) == list(before.undelivered)
    saved = after.find_response("k7")
    assert saved is not None
    assert json.loads(after.read_body(saved))["amount"] == 7
    assert after.get_event(list(after.events)[3])["data"]["object"]["amount"] == 3
    after.wal.close()


def test_response_expires_after_a_day(tmp_path: Path) -> None:
    now = objects.unix_time()
    saved = [response("old", saved_at=now - 86401, body={}), response("new", saved_at=now - 86000, body={})]
    write(tmp_path, *([("response", json.dumps(each))] for each in saved))
    store = Store(wal.WriteAheadLog(tmp_path), subscribed=None)
    store.load()

    assert store.find_response("old") is None
    assert store.find_response("new") is not None
    store.wal.close()
