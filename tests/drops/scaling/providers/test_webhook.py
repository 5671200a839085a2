"""A target by signed webhook, against a receiver that verifies, hangs, redirects, lies and answers garbage."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings

from drops.scaling.providers import ApplyRefused, BadLocator, OutcomeUnclear
from drops.scaling.providers.webhook import Webhook
from tests.drops.scaling.receiver import SECRET, Receiver, http, serve


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Any]:
    settings.SCALING_PRIVATE_HOSTS = ["127.0.0.1"]
    settings.SCALING_WEBHOOK_SECRET = SECRET
    with serve(Receiver()) as running:
        yield running


@pytest.fixture
def kind(receiver: Any) -> Any:
    return Webhook(locator={"url": receiver.url, "status_url": receiver.status_url})


def fault(sort: Any, call: Any, *words: Any, **more: Any) -> Any:
    with pytest.raises(sort) as caught:
        call(*words, **more)
    return str(caught.value)


def test_read_tells_what_the_status_says(kind: Any, receiver: Any) -> None:
    reading = kind.read()

    assert (reading.state, reading.size, reading.serving, reading.moving) == ({"size": 2}, 2, 2, False)
    assert reading.message == "all in one zone"
    assert (receiver.told, receiver.requests[0][0]) == ([], "GET")


def test_a_target_is_ready_when_its_status_says_so_and_comes_back(kind: Any, receiver: Any) -> None:
    baseline = kind.read().state
    state = kind.state_for(8, baseline=baseline)

    asked = kind.apply(state, key="one")

    assert (asked.request_id, asked.message) == ("request-7", "told; it answered 202")
    assert not kind.is_ready(kind.read(), state), "an accepted call is no readiness"
    receiver.catch_up()
    assert kind.is_ready(kind.read(), state)

    kind.apply(baseline, key="two")
    receiver.catch_up()

    assert kind.is_ready(kind.read(), baseline)
    assert receiver.told == [{"version": 1, "url": receiver.url, "size": size} for size in (8, 2)]


def test_asking_again_carries_the_same_key_and_the_same_absolute_size(kind: Any, receiver: Any) -> None:
    kind.apply({"size": 8}, key="one")
    kind.apply({"size": 8}, key="one")

    assert receiver.keys == ["one", "one"]
    assert [told["size"] for told in receiver.told] == [8, 8]
    headers = [headers for _method, _path, headers in receiver.requests]
    assert [header["webhook-id"] for header in headers] == [header["idempotency-key"] for header in headers]


def test_a_receiver_that_accepts_and_does_nothing_is_not_ready(kind: Any, receiver: Any) -> None:
    receiver.deaf = True

    kind.apply({"size": 8}, key="one")

    assert not kind.is_ready(kind.read(), {"size": 8})


def test_a_receiver_that_claims_more_than_serves_is_not_ready(kind: Any, receiver: Any) -> None:
    receiver.status = {"size": 8, "serving": 5, "moving": False}

    assert not kind.is_ready(kind.read(), {"size": 8})


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({}, "In the status “size” should be a whole number from 0 on."),
        ({"size": "8", "serving": 8}, "In the status “size” should be a whole number from 0 on."),
        ({"size": True, "serving": 8}, "In the status “size” should be a whole number from 0 on."),
        ({"size": 8, "serving": -1}, "In the status “serving” should be a whole number from 0 on."),
        ({"size": 8, "serving": 2.5}, "In the status “serving” should be a whole number from 0 on."),
        ({"size": 10**9, "serving": 8}, "In the status “size” should be a whole number from 0 on."),
        ({"size": 8, "serving": 8, "moving": "no"}, "In the status “moving” should be true or false"),
        ({"size": 8, "serving": 8, "words": ["x"]}, "In the status “moving” should be true or false"),
    ],
)
def test_a_status_that_is_garbage_is_unknown(kind: Any, receiver: Any, status: Any, sentence: str) -> None:
    receiver.status = status

    assert fault(OutcomeUnclear, kind.read).startswith(sentence)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[8]", b"null", b"8", b"[" * 60_000])
def test_an_answer_that_is_no_object_is_unknown(kind: Any, receiver: Any, body: Any) -> None:
    receiver.manner = http(200, body)

    fault(OutcomeUnclear, kind.read)


def test_foreign_words_are_shown_in_one_short_line(kind: Any, receiver: Any) -> None:
    receiver.status = {"size": 2, "serving": 2, "words": "a\r\nb" + "x" * 500}

    assert kind.read().message == "ab" + "x" * 118


@pytest.mark.parametrize("status", [401, 403])
def test_a_signature_that_is_not_accepted_is_refused(kind: Any, receiver: Any, status: int) -> None:
    receiver.manner = http(status, b'{"detail": "no"}')

    assert fault(ApplyRefused, kind.apply, {"size": 8}, key="one") == (
        f"The receiver answered {status}: “no”. Have both sides the same secret and time?"
    )


def test_another_secret_is_refused_by_the_receiver(kind: Any, receiver: Any) -> None:
    receiver.secret = "whsec_AAAA"

    assert "The signature does not verify." in fault(ApplyRefused, kind.read)


@pytest.mark.parametrize("status", [404, 410])
def test_an_address_that_the_receiver_does_not_know_is_refused(kind: Any, receiver: Any, status: int) -> None:
    receiver.manner = http(status, b"")

    assert fault(ApplyRefused, kind.read) == (f"The receiver knows no such address ({status}). Put in the right one.")


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503])
def test_not_now_is_unknown(kind: Any, receiver: Any, status: int) -> None:
    receiver.manner = http(status, b'{"error": "busy"}')

    assert fault(OutcomeUnclear, kind.apply, {"size": 8}, key="one") == (
        f"The receiver answered {status}: “busy”. It is asked again."
    )


def test_a_quota_is_refused_in_the_receivers_words(kind: Any, receiver: Any) -> None:
    receiver.manner = http(422, json.dumps({"detail": "More than 6 is beyond the quota."}).encode())

    assert fault(ApplyRefused, kind.apply, {"size": 8}, key="one") == (
        "The receiver refused with 422: “More than 6 is beyond the quota.”. Look at what it expects."
    )


def test_a_redirect_to_a_private_address_is_refused(kind: Any, receiver: Any) -> None:
    receiver.manner = http(307, b"", Location="http://169.254.169.254/latest/meta-data/")

    for call in (kind.read, lambda: kind.apply({"size": 8}, key="one")):
        assert "Redirects are not followed" in fault(ApplyRefused, call)
    assert len(receiver.requests) == 2


def test_a_private_address_is_refused(kind: Any, receiver: Any, settings: Settings) -> None:
    settings.SCALING_PRIVATE_HOSTS = []

    assert "is the private address 127.0.0.1" in fault(ApplyRefused, kind.apply, {"size": 8}, key="one")
    assert receiver.requests == []


@pytest.mark.parametrize("manner", ["hangs", "trickles"])
def test_a_receiver_that_never_ends_is_unknown(
    kind: Any, receiver: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    monkeypatch.setattr("drops.scaling.providers.webhook.SECONDS", 0.3)
    receiver.manner = manner

    for call in (kind.read, lambda: kind.apply({"size": 8}, key="one")):
        assert fault(OutcomeUnclear, call) == "127.0.0.1 gave no complete response in 0.3 seconds."


def test_a_receiver_that_breaks_off_is_unknown(kind: Any, receiver: Any) -> None:
    receiver.manner = "breaks off"

    assert "lost the connection" in fault(OutcomeUnclear, kind.apply, {"size": 8}, key="one")


def test_without_a_secret_nothing_is_sent(kind: Any, receiver: Any, settings: Settings) -> None:
    settings.SCALING_WEBHOOK_SECRET = ""

    assert fault(ApplyRefused, kind.read).startswith("SCALING_WEBHOOK_SECRET is not set")
    assert receiver.requests == []


@pytest.mark.parametrize("field", ["url", "status_url"])
@pytest.mark.parametrize("value", ["", None, "ftp://ops.example/", "https://a:b@ops.example/"])
def test_check_names_the_address_that_is_wrong(field: str, value: str | None) -> None:
    locator = {"url": "https://ops.example/scale", "status_url": "https://ops.example/status"}
    Webhook.check(locator)

    with pytest.raises(BadLocator) as caught:
        Webhook.check(locator | {field: value})

    assert list(caught.value.errors) == [field]


def test_one_receiver_is_one_resource_however_it_is_spelt() -> None:
    one = Webhook.resource({"url": "https://ops.example/scale"})

    assert one == Webhook.resource({"url": "HTTPS://OPS.example:443/scale"})
    assert one != Webhook.resource({"url": "https://ops.example/scale?what=web"})
