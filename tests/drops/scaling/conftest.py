"""Fixtures of pre-scaling's tests."""

import pytest
from pytest_django import Settings

from tests.drops.scaling.cloud import cloud

__all__ = ["cloud"]


@pytest.fixture(autouse=True)
def usual_pace(settings: Settings) -> None:
    """Tick as production does: beside a running stack the environment has the demo's seconds."""
    settings.SCALING_TICK_SECONDS, settings.SCALING_GO_SECONDS = 15.0, 600.0
