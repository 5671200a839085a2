"""Servers that run on this machine."""

import pytest

from tests.deploy.edge import edge, running_edge  # fixtures

__all__ = ["edge", "running_edge"]


@pytest.fixture(autouse=True)
def lane(server_lane: None) -> None:
    """Run the tests of this folder among the servers."""
