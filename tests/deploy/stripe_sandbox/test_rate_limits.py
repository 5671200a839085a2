from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import stripe

from deploy.local.stripe_sandbox import rate_limits
from deploy.local.stripe_sandbox.errors import ApiError
from tests.deploy.stripe_sandbox.process import StartSandbox


def call_until_limited(*calls: Callable[[], object]) -> stripe.RateLimitError:
    """Call them in turn, without a pause, until one is rate-limited."""
    try:
        for turn in range(50):
            calls[turn % len(calls)]()
    except stripe.RateLimitError as raised:
        return raised
    raise AssertionError("50 calls, and none was rate-limited")


def test_endpoint_above_its_limit_returns_429(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SANDBOX_RATE_PER_ENDPOINT="2", SANDBOX_RATE="100")

    raised = call_until_limited(sandbox.client.v1.payment_intents.list)

    assert raised.error is not None
    assert (raised.http_status, raised.error.code) == (429, "rate_limit")
    assert raised.headers is not None
    assert raised.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    assert raised.headers["Stripe-Should-Retry"] == "false"
    assert sandbox.client.v1.events.list().data == []  # another endpoint has its own limit


def test_all_endpoints_share_one_limit(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SANDBOX_RATE_PER_ENDPOINT="100", SANDBOX_RATE="2")
    lists = (
        sandbox.client.v1.payment_intents.list,
        sandbox.client.v1.events.list,
        sandbox.client.v1.charges.list,
    )

    raised = call_until_limited(*lists)

    assert raised.headers is not None
    assert raised.headers["Stripe-Rate-Limited-Reason"] == "global-rate"


def test_rate_limited_call_leaves_its_idempotency_key_free(start_sandbox: StartSandbox) -> None:
    sandbox = start_sandbox(SANDBOX_RATE_PER_ENDPOINT="20", SANDBOX_RATE="1000")

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


def test_acquire_allows_one_second_of_requests_per_endpoint() -> None:
    limits = rate_limits.RateLimits(rate=100, rate_per_endpoint=3)
    for _ in range(3):
        limits.acquire("a")

    with pytest.raises(ApiError):
        limits.acquire("a")
    limits.acquire("b")
