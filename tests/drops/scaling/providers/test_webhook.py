"""A target by signed webhook: the receiver verifies, hangs, redirects or sends invalid responses."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from drops.scaling.providers import ApplyRefused, BadLocator, OutcomeUnclear, ProviderError
from drops.scaling.providers.webhook import Webhook
from tests.drops.scaling.receiver import SECRET, Receiver, http, serve


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.SCALING_PRIVATE_HOSTS = ["127.0.0.1"]
    settings.SCALING_WEBHOOK_SECRET = SECRET
    with serve(Receiver()) as running:
        yield running


@pytest.fixture
def provider(receiver: Receiver) -> Webhook:
    return Webhook(locator={"url": receiver.url, "status_url": receiver.status_url})


def error_text(
    error: type[ProviderError], call: Callable[..., object], *arguments: Any, **options: Any
) -> str:
    with pytest.raises(error) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_read_returns_the_status(provider: Webhook, receiver: Receiver) -> None:
    reading = provider.read()

    assert (reading.state, reading.size, reading.serving, reading.moving) == ({"size": 2}, 2, 2, False)
    assert reading.message == "all in one zone"
    assert (receiver.told, receiver.requests[0][0]) == ([], "GET")


def test_a_target_is_ready_when_its_status_says_so_and_is_restored(
    provider: Webhook, receiver: Receiver
) -> None:
    baseline = provider.read().state
    state = provider.state_for(8, baseline=baseline)

    asked = provider.apply(state, key="one")

    assert (asked.request_id, asked.message) == ("request-7", "the receiver responded 202")
    assert not provider.is_ready(provider.read(), state), "an accepted call does not make it ready"
    receiver.catch_up()
    assert provider.is_ready(provider.read(), state)

    provider.apply(baseline, key="two")
    receiver.catch_up()

    assert provider.is_ready(provider.read(), baseline)
    assert receiver.told == [{"version": 1, "url": receiver.url, "size": size} for size in (8, 2)]


def test_a_repeated_apply_has_the_same_key_and_absolute_size(provider: Webhook, receiver: Receiver) -> None:
    provider.apply({"size": 8}, key="one")
    provider.apply({"size": 8}, key="one")

    assert receiver.keys == ["one", "one"]
    assert [told["size"] for told in receiver.told] == [8, 8]
    headers = [headers for _method, _path, headers in receiver.requests]
    assert [header["webhook-id"] for header in headers] == [header["idempotency-key"] for header in headers]


def test_a_receiver_that_accepts_and_does_nothing_is_not_ready(provider: Webhook, receiver: Receiver) -> None:
    receiver.deaf = True

    provider.apply({"size": 8}, key="one")

    assert not provider.is_ready(provider.read(), {"size": 8})


def test_a_receiver_that_claims_more_than_serves_is_not_ready(provider: Webhook, receiver: Receiver) -> None:
    receiver.status = {"size": 8, "serving": 5, "moving": False}

    assert not provider.is_ready(provider.read(), {"size": 8})


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ({}, "In the status, “size” should be a whole number of 0 or more."),
        ({"size": "8", "serving": 8}, "In the status, “size” should be a whole number of 0 or more."),
        ({"size": True, "serving": 8}, "In the status, “size” should be a whole number of 0 or more."),
        ({"size": 8, "serving": -1}, "In the status, “serving” should be a whole number of 0 or more."),
        ({"size": 8, "serving": 2.5}, "In the status, “serving” should be a whole number of 0 or more."),
        ({"size": 10**9, "serving": 8}, "In the status, “size” should be a whole number of 0 or more."),
        ({"size": 8, "serving": 8, "moving": "no"}, "In the status, “moving” should be true or false"),
        ({"size": 8, "serving": 8, "words": ["x"]}, "In the status, “moving” should be true or false"),
    ],
)
def test_an_invalid_status_is_unclear(
    provider: Webhook, receiver: Receiver, status: Any, sentence: str
) -> None:
    receiver.status = status

    assert error_text(OutcomeUnclear, provider.read).startswith(sentence)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[8]", b"null", b"8", b"[" * 60_000])
def test_a_status_that_is_not_an_object_is_unclear(provider: Webhook, receiver: Receiver, body: Any) -> None:
    receiver.manner = http(200, body)

    error_text(OutcomeUnclear, provider.read)


def test_the_receivers_text_is_shown_on_one_short_line(provider: Webhook, receiver: Receiver) -> None:
    receiver.status = {"size": 2, "serving": 2, "words": "a\r\nb" + "x" * 500}

    assert provider.read().message == "a b" + "x" * 116 + "…"


@pytest.mark.parametrize("status", [401, 403])
def test_a_signature_that_is_not_accepted_is_refused(
    provider: Webhook, receiver: Receiver, status: int
) -> None:
    receiver.manner = http(status, b'{"detail": "no"}')

    assert error_text(ApplyRefused, provider.apply, {"size": 8}, key="one") == (
        f"The receiver responded {status}: “no”. Check that both sides have the same secret and the same time."
    )


def test_a_different_secret_is_refused_by_the_receiver(provider: Webhook, receiver: Receiver) -> None:
    receiver.secret = "whsec_AAAA"

    assert "The signature does not verify." in error_text(ApplyRefused, provider.read)


@pytest.mark.parametrize("status", [404, 410])
def test_a_url_that_the_receiver_does_not_know_is_refused(
    provider: Webhook, receiver: Receiver, status: int
) -> None:
    receiver.manner = http(status, b"")

    assert error_text(ApplyRefused, provider.read) == (
        f"The receiver doesn't know this URL ({status}). Correct it."
    )


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503])
def test_a_temporary_refusal_is_unclear(provider: Webhook, receiver: Receiver, status: int) -> None:
    receiver.manner = http(status, b'{"error": "busy"}')

    assert error_text(OutcomeUnclear, provider.apply, {"size": 8}, key="one") == (
        f"The receiver responded {status}: “busy”. It will be tried again."
    )


def test_a_quota_is_refused_with_the_receivers_own_sentence(provider: Webhook, receiver: Receiver) -> None:
    receiver.manner = http(422, json.dumps({"detail": "More than 6 is beyond the quota."}).encode())

    assert error_text(ApplyRefused, provider.apply, {"size": 8}, key="one") == (
        "The receiver refused the call with 422: “More than 6 is beyond the quota.”. Check what it accepts."
    )


def test_a_redirect_to_a_private_address_is_refused(provider: Webhook, receiver: Receiver) -> None:
    receiver.manner = http(307, b"", Location="http://169.254.169.254/latest/meta-data/")

    for call in (provider.read, lambda: provider.apply({"size": 8}, key="one")):
        assert "Redirects are not followed" in error_text(ApplyRefused, call)
    assert len(receiver.requests) == 2


def test_a_private_address_is_refused(provider: Webhook, receiver: Receiver, settings: Settings) -> None:
    settings.SCALING_PRIVATE_HOSTS = []

    assert "is the private address 127.0.0.1" in error_text(
        ApplyRefused, provider.apply, {"size": 8}, key="one"
    )
    assert receiver.requests == []


@pytest.mark.parametrize("manner", ["hangs", "trickles"])
def test_a_response_that_never_ends_is_unclear(
    provider: Webhook, receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch, manner: str
) -> None:
    monkeypatch.setattr("drops.scaling.providers.webhook.CALL_SECONDS", 0.3)
    receiver.manner = manner

    for call in (provider.read, lambda: provider.apply({"size": 8}, key="one")):
        assert error_text(OutcomeUnclear, call) == "127.0.0.1 gave no complete response in 0.3 seconds."


def test_a_response_that_breaks_off_is_unclear(provider: Webhook, receiver: Receiver) -> None:
    receiver.manner = "breaks off"

    assert "lost the connection" in error_text(OutcomeUnclear, provider.apply, {"size": 8}, key="one")


def test_without_a_secret_nothing_is_sent(provider: Webhook, receiver: Receiver, settings: Settings) -> None:
    settings.SCALING_WEBHOOK_SECRET = ""

    assert error_text(ApplyRefused, provider.read).startswith("SCALING_WEBHOOK_SECRET is not set")
    assert receiver.requests == []


@pytest.mark.parametrize("field", ["url", "status_url"])
@pytest.mark.parametrize("value", ["", None, "ftp://ops.example/", "https://a:b@ops.example/"])
def test_check_names_the_invalid_url(field: str, value: str | None) -> None:
    locator = {"url": "https://ops.example/scale", "status_url": "https://ops.example/status"}
    Webhook.check(locator)

    with pytest.raises(BadLocator) as caught:
        Webhook.check(locator | {field: value})

    assert list(caught.value.errors) == [field]


def test_one_receiver_is_one_resource_in_any_spelling() -> None:
    one = Webhook.resource({"url": "https://ops.example/scale"})

    assert one == Webhook.resource({"url": "HTTPS://OPS.example:443/scale"})
    assert one != Webhook.resource({"url": "https://ops.example/scale?what=web"})
