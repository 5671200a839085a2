"""The shapes of the calls to Kubernetes, against kmock: an API that is not our own idea of it."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kmock import KubernetesEmulator, Server

from drops.scaling.providers import PROVIDERS, ApplyRefused
from tests.drops.scaling.kube_cloud import UID, configuration

LOCATOR = {"namespace": "shop", "namespace_uid": UID, "name": "web"}
WORKLOAD: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "shop", "generation": 3},
    "spec": {"replicas": 2, "paused": False, "selector": {"matchLabels": {"app": "web"}}},
    "status": {"observedGeneration": 3, "readyReplicas": 2},
}
SCALED = {"kind": "Deployment", "name": "web"}


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KubernetesEmulator]:
    """A Kubernetes API by kmock, with a Deployment "web", found by KUBECONFIG."""
    up, over = threading.Event(), threading.Event()
    found: dict[str, Any] = {}

    async def serve() -> None:
        async with KubernetesEmulator() as handler, Server(handler) as server:
            handler["get /api/v1/namespaces/shop"] << {"metadata": {"name": "shop", "uid": UID}}
            handler.objects["apps/v1/deployments", "shop", "web"] = WORKLOAD
            handler.objects["v1/pods", "shop", "other-1"] = {
                "metadata": {"name": "other-1", "deletionTimestamp": "now"}
            }
            handler.objects["autoscaling/v2/horizontalpodautoscalers", "shop", "other"] = {
                "metadata": {"name": "other"},
                "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "other"}},
            }
            found.update(handler=handler, url=str(server.url).rstrip("/"))
            up.set()
            await asyncio.to_thread(over.wait, 60)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert up.wait(10)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").write_text(configuration(server=found["url"]))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    yield found["handler"]
    over.set()
    thread.join(10)


def spec(emulator: KubernetesEmulator, resource: str, name: str = "web") -> dict[str, Any]:
    return dict(emulator.objects[resource, "shop", name]["spec"])


def test_a_deployment_is_read_and_patched(emulator: KubernetesEmulator) -> None:
    provider = PROVIDERS["kubernetes"](locator=LOCATOR)

    reading = provider.read()
    provider.apply(provider.state_for(5, baseline=reading.state), key="one")

    assert (reading.state, reading.serving, reading.moving) == ({"replicas": 2}, 2, False)
    assert spec(emulator, "apps/v1/deployments") == {**WORKLOAD["spec"], "replicas": 5}


def test_an_hpa_is_read_and_patched(emulator: KubernetesEmulator) -> None:
    resource = "autoscaling/v2/horizontalpodautoscalers"
    emulator.objects[resource, "shop", "web"] = {
        "metadata": {"name": "web"},
        "spec": {"minReplicas": 2, "maxReplicas": 4, "scaleTargetRef": SCALED},
        "status": {"desiredReplicas": 2},
    }
    provider = PROVIDERS["hpa"](locator=LOCATOR)

    reading = provider.read()
    provider.apply(provider.state_for(6, baseline=reading.state), key="one")

    assert provider.is_ready(reading, {"min": 2, "max": 4})
    assert spec(emulator, resource) == {"minReplicas": 6, "maxReplicas": 6, "scaleTargetRef": SCALED}


def test_a_scaled_object_is_patched_and_unset_bounds_are_removed_again(emulator: KubernetesEmulator) -> None:
    resource = "keda.sh/v1alpha1/scaledobjects"
    emulator.objects[resource, "shop", "web"] = {
        "metadata": {"name": "web"},
        "spec": {"scaleTargetRef": SCALED},
    }
    provider = PROVIDERS["keda"](locator=LOCATOR)
    baseline = provider.read().state

    provider.apply(provider.state_for(120, baseline=baseline), key="one")
    assert spec(emulator, resource) == {
        "minReplicaCount": 120,
        "maxReplicaCount": 120,
        "scaleTargetRef": SCALED,
    }
    provider.apply(baseline, key="two")

    assert spec(emulator, resource) == {"scaleTargetRef": SCALED}


def test_a_missing_deployment_is_refused(emulator: KubernetesEmulator) -> None:
    with pytest.raises(ApplyRefused):
        PROVIDERS["kubernetes"](locator=LOCATOR | {"name": "wbe"}).read()
