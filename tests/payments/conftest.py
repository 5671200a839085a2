"""A sandbox for these tests, called by the real stripe-python with the shop's settings."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from payments.processing import gateway
from tests.deploy.stripe_sandbox import process


@pytest.fixture(scope="session")
def sandbox_process(
    server_lane: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[process.SandboxProcess]:
    with process.SandboxProcess(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def sandbox(sandbox_process: process.SandboxProcess, settings: Settings) -> Iterator[process.SandboxProcess]:
    """The sandbox, with the shop's settings pointing to it and no fault left from another test."""
    settings.STRIPE_API_BASE = sandbox_process.base
    settings.STRIPE_SECRET_KEY = process.SECRET_KEY
    settings.STRIPE_PUBLISHABLE_KEY = process.PUBLISHABLE_KEY
    settings.STRIPE_WEBHOOK_SECRETS = [process.WEBHOOK_SECRET]
    settings.STRIPE_READ_SECONDS = 2.0
    settings.STRIPE_CALLS_PER_SECOND = settings.STRIPE_CALLS_PER_OPERATION = 10_000
    gateway.client.cache_clear()
    sandbox_process.clear_faults()
    yield sandbox_process
    gateway.client.cache_clear()
