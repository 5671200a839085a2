"""The contract tests' client: of the sandbox, or of Stripe's test mode if CONTRACT_API_BASE names it."""

import os
from collections.abc import Iterator

import pytest
import stripe

from tests.deploy.stripe_sandbox.process import SandboxProcess


@pytest.fixture(scope="session")
def contract(request: pytest.FixtureRequest) -> Iterator[stripe.StripeClient]:
    """A client of the sandbox or, with CONTRACT_API_BASE and STRIPE_SECRET_KEY set, of Stripe's test mode."""
    base = os.environ.get("CONTRACT_API_BASE")
    if not base:
        process: SandboxProcess = request.getfixturevalue("shared_sandbox")
        yield process.client
        return
    key = os.environ.get("STRIPE_SECRET_KEY", "")
    if not key.startswith("sk_test_"):
        pytest.exit(
            "The contract tests run against Stripe's test mode only: STRIPE_SECRET_KEY must be sk_test_….", 2
        )
    stripe.enable_telemetry = False
    http = stripe.RequestsClient(timeout=(5, 30))
    yield stripe.StripeClient(key, base_addresses={"api": base}, max_network_retries=2, http_client=http)
    http.close()  # type: ignore[no-untyped-call]
