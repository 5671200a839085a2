"""Stripe's webhooks over HTTP."""

import json
from typing import Any

import pytest
import stripe
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from payments.models import Event

pytestmark = pytest.mark.django_db


def event(settings: Any, **fields: Any) -> Any:
    """Return the body that Stripe would post about an intent, and the header that signs it."""
    body = json.dumps(
        {
            "id": "evt_1",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "type": "payment_intent.succeeded",
            "livemode": False,
            "created": 1,
            "data": {
                "object": {
                    "id": "pi_1",
                    "object": "payment_intent",
                    "metadata": {"shop": settings.SHOP_ORIGIN},
                }
            },
        }
        | fields
    )
    return body, sign(body, settings.STRIPE_WEBHOOK_SECRETS[0])


def sign(body: Any, secret: str, at: Any = None) -> Any:
    at = at or int(timezone.now().timestamp())
    return stripe.WebhookSignature.generate_signature_header(body, secret, at)


def deliver(body: Any, signature: Any) -> Any:
    headers = {"Stripe-Signature": signature} if signature is not None else {}
    return Client(enforce_csrf_checks=True).post(
        "/webhooks/stripe/", body, content_type="application/json", headers=headers
    )


def test_store_a_signed_webhook(settings: Settings) -> None:
    answer = deliver(*event(settings))

    assert answer.status_code == 200
    assert list(Event.objects.values_list("id", "state", "intent_id")) == [("evt_1", "stored", "pi_1")]


def test_store_a_repeated_webhook_once(settings: Settings) -> None:
    body, signature = event(settings)

    assert [deliver(body, signature).status_code for _ in range(2)] == [200, 200]
    assert Event.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "customer.created"}, "unused type"),
        ({"livemode": True}, "other mode"),
        (
            {"data": {"object": {"id": "pi_1", "object": "payment_intent", "metadata": {}}}},
            "other deployment",
        ),
    ],
)
def test_store_a_foreign_webhook_as_ignored(settings: Settings, fields: dict[str, Any], reason: str) -> None:
    answer = deliver(*event(settings, **fields))

    assert answer.status_code == 200
    assert list(Event.objects.values_list("state", "reason")) == [("ignored", reason)]


def test_refuse_a_forged_webhook(settings: Settings) -> None:
    body, good = event(settings)
    forged = {
        "none": None,
        "empty": "",
        "nonsense": "t=1,v1=abc",
        "another secret": sign(body, "whsec_other"),
        "another body": sign(body + " ", settings.STRIPE_WEBHOOK_SECRETS[0]),
        "old": sign(body, settings.STRIPE_WEBHOOK_SECRETS[0], at=int(timezone.now().timestamp()) - 600),
        "cut": good[:-1],
    }

    for name, signature in forged.items():
        answer = deliver(body, signature)
        assert (name, answer.status_code, answer["Content-Type"]) == (name, 400, "application/problem+json")
    assert Event.objects.count() == 0


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"id": "evt_1"}'])
def test_refuse_a_signed_webhook_without_an_event(settings: Settings, body: str) -> None:
    answer = deliver(body, sign(body, settings.STRIPE_WEBHOOK_SECRETS[0]))

    assert answer.status_code == 400
    assert Event.objects.count() == 0


WRONG: list[dict[str, Any]] = [
    {"id": "evt_" + "1" * 252},
    {"id": None},
    {"type": "t" * 256},
    {"livemode": "perhaps"},
    {"livemode": None},
    {"data": None},
    {"data": {"object": []}},
    {"data": {"object": {"object": "payment_intent", "id": "pi_" + "1" * 253}}},
    {"data": {"object": {"object": "payment_intent", "id": "pi_1", "metadata": ["shop"]}}},
]


@pytest.mark.parametrize("fields", WRONG)
def test_refuse_a_signed_webhook_with_wrong_values(settings: Settings, fields: dict[str, Any]) -> None:
    answer = deliver(*event(settings, **fields))

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert Event.objects.count() == 0


def test_refuse_a_signed_webhook_that_is_nested_too_deeply(settings: Settings) -> None:
    body = "[" * 100_000

    assert deliver(body, sign(body, settings.STRIPE_WEBHOOK_SECRETS[0])).status_code == 400


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ada\0", "Ada\ufffd"),
        ("\ud800Ada", "\ufffdAda"),
        ("Ada\udfff\ud83d", "Ada\ufffd\ufffd"),
        ("Ada \U0001f600", "Ada \U0001f600"),
    ],
)
def test_store_what_a_shopper_typed_at_stripe(settings: Settings, typed: str, stored: str) -> None:
    subject = {
        "id": "pi_1",
        "object": "payment_intent",
        "metadata": {typed: typed},
        "shipping": [{"name": typed}],
    }

    assert deliver(*event(settings, data={"object": subject})).status_code == 200
    found = Event.objects.get().payload["data"]["object"]
    assert (found["metadata"], found["shipping"]) == ({stored: stored}, [{"name": stored}])
