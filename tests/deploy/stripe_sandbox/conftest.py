"""Fixtures: `sandbox`, shared by all tests and cleared of faults; `own_sandbox`, for tests that kill or limit it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy.stripe_sandbox.process import Receiver, SandboxProcess


@pytest.fixture(scope="session")
def shared_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path_factory.mktemp("sandbox")) as process:
        yield process


@pytest.fixture
def sandbox(shared_sandbox: SandboxProcess) -> Iterator[SandboxProcess]:
    """A running sandbox without faults, limits and webhooks."""
    yield shared_sandbox
    shared_sandbox.clear()


@pytest.fixture
def own_sandbox(tmp_path: Path) -> Iterator[Callable[..., SandboxProcess]]:
    """Starts a sandbox with these settings, for this test alone."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(SandboxProcess(tmp_path, **settings))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    shop = Receiver()
    yield shop
    shop.close()
