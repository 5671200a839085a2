"""Stand-ins for AWS and Kubernetes, which the official clients find through the environment."""

from collections.abc import Iterator

import pytest

from tests.drops.scaling.aws_cloud import Cloud, serve
from tests.drops.scaling.providers.kube import kube

__all__ = ["aws", "kube"]


@pytest.fixture(autouse=True)
def lane(server_lane: None) -> None:
    """Run the tests of this folder among the servers."""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An AWS account on this machine, with its endpoint and credentials in the environment."""
    cloud = Cloud()
    with serve(cloud) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        yield cloud
