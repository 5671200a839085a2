from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from deploy.local.stripe_sandbox import limits
from deploy.local.stripe_sandbox.errors import ApiError
from tests.deploy.stripe_sandbox.process import SandboxProcess

Own = Callable[..., SandboxProcess]


def hurry(*calls: Callable[[], object]) -> stripe.RateLimitError:
    """Call them in turn, without a pause, until one comes too fast."""
    try:
        for turn in range(50):
            calls[turn % len(calls)]()
    except stripe.RateLimitError as refusal:
        return refusal
    raise AssertionError("50 calls, and none was too fast")


def test_endpoint_that_is_asked_too_fast_answers_429(own_sandbox: Own) -> None:
    sandbox = own_sandbox(SANDBOX_RATE_PER_ENDPOINT="2", SANDBOX_RATE="100")

    refusal = hurry(sandbox.client.v1.payment_intents.list)

    assert refusal.error is not None
    assert (refusal.http_status, refusal.error.code) == (429, "rate_limit")
    assert refusal.headers is not None
    assert refusal.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    assert refusal.headers["Stripe-Should-Retry"] == "false"
    assert sandbox.client.v1.events.list().data == []  # another endpoint has its own


def test_all_endpoints_share_one_limit(own_sandbox: Own) -> None:
    sandbox = own_sandbox(SANDBOX_RATE_PER_ENDPOINT="100", SANDBOX_RATE="2")
    lists = (sandbox.client.v1.payment_intents.list, sandbox.client.v1.events.list, sandbox.client.v1.charges.list)

    refusal = hurry(*lists)

    assert refusal.headers is not None
    assert refusal.headers["Stripe-Rate-Limited-Reason"] == "global-rate"


def test_refused_call_leaves_its_idempotency_key_free(own_sandbox: Own) -> None:
    sandbox = own_sandbox(SANDBOX_RATE_PER_ENDPOINT="20", SANDBOX_RATE="1000")

    def create(key: int) -> int:
        try:
            sandbox.client.v1.payment_intents.create(
                {"amount": 9600, "currency": "eur"}, {"idempotency_key": str(key), "max_network_retries": 0}
            )
        except stripe.RateLimitError:
            return 429
        return 200

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(pool.map(create, range(60)))

    assert statuses[429] > 0
    listed = sandbox.client.v1.payment_intents.list({"limit": 100}).data
    assert len(listed) == statuses[200]


def test_bucket_holds_one_second_and_refills() -> None:
    bounds = limits.Limits(rate=100, rate_per_endpoint=3)
    for _ in range(3):
        bounds.admit("a")

    with pytest.raises(ApiError):
        bounds.admit("a")
    bounds.admit("b")
