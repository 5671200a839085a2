"""What the tests of Kubernetes targets share: a cluster on this machine, and how a target reaches a state."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drops.scaling.providers import ApplyRefused, OutcomeUnclear
from drops.scaling.providers.base import Reading
from drops.scaling.providers.kubernetes.deployment import Deployment
from drops.scaling.providers.kubernetes.hpa import Autoscaler
from drops.scaling.providers.kubernetes.keda import ScaledObject
from tests.drops.scaling.kube_cloud import UID, Cluster, configuration, serve

LOCATOR = {"namespace": "shop", "namespace_uid": UID, "name": "web"}


@pytest.fixture
def kube(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster with a Deployment "web" of 2 pods, found by KUBECONFIG."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    cluster = Cluster()
    cluster.deploy("web", 2)
    with serve(cluster) as address:
        configure(monkeypatch, tmp_path, configuration(server=address))
        yield cluster


def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))


def spec(kube: Cluster, plural: str) -> dict[str, Any]:
    return dict(kube.objects[plural, "web"]["spec"])


def bring(
    kube: Cluster, provider: Autoscaler | Deployment | ScaledObject, state: dict[str, Any], rounds: int = 10
) -> list[Reading]:
    """Apply a state and let the cluster work until it is ready; return the readings on the way."""
    provider.apply(state, key="one")
    readings = []
    for _round in range(rounds):
        readings.append(provider.read())
        if provider.is_ready(readings[-1], state):
            return readings
        kube.advance()
    pytest.fail(f"not ready after {rounds} rounds: {readings[-1]}")


def refused(
    provider: Autoscaler | Deployment | ScaledObject, call: str = "read", state: dict[str, int] | None = None
) -> str:
    """Return the sentence with which it refuses."""
    with pytest.raises(ApplyRefused) as caught:
        provider.read() if call == "read" else provider.apply(state or {}, key="one")
    return str(caught.value)


def unknown(provider: Deployment) -> str:
    with pytest.raises(OutcomeUnclear) as caught:
        provider.read()
    return str(caught.value)
