"""Servers that run on this machine."""

import pytest


@pytest.fixture(autouse=True)
def lane(server_lane: None) -> None:
    """Run the tests of this folder among the servers."""
