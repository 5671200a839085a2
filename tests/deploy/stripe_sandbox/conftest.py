"""Fixtures: `sandbox`, shared by all tests; `start_sandbox`, to kill it or for settings of one's own."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy.stripe_sandbox.process import SandboxProcess, StartSandbox, WebhookReceiver


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def sandbox(shared_sandbox: SandboxProcess) -> Iterator[SandboxProcess]:
    """A running sandbox without faults, low rate limits or webhooks."""
    yield shared_sandbox
    shared_sandbox.clear_faults()


@pytest.fixture
def start_sandbox(tmp_path: Path) -> Iterator[StartSandbox]:
    """`start_sandbox(SANDBOX_RATE="2")`: start a sandbox for this test alone."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(SandboxProcess(tmp_path, **settings))


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    started = WebhookReceiver()
    yield started
    started.close()
