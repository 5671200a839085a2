"""A ScaledObject, by the official client against a cluster that is served over HTTP."""

import pytest

from drops.scaling.providers.kubernetes.keda import ScaledObject
from tests.drops.scaling.kube_cloud import Cluster
from tests.drops.scaling.providers.kube import LOCATOR, bring, refused, spec


def test_a_scaled_object_is_ready_when_keda_and_its_hpa_have_acted(kube: Cluster) -> None:
    kube.scale_by_keda("web", minReplicaCount=1, maxReplicaCount=9)
    provider = ScaledObject(locator=LOCATOR)

    readings = bring(kube, provider, provider.state_for(6, baseline=provider.read().state))

    assert [(reading.serving, reading.moving) for reading in readings][-1] == (6, False)
    assert "KEDA hasn't copied the bounds to its HPA yet" in readings[0].message
    assert "the HPA hasn't acted on its minimum yet" in readings[1].message
    assert kube.patches == [("scaledobjects/web", {"spec": {"minReplicaCount": 6, "maxReplicaCount": 9}})]


def test_bounds_that_were_not_set_are_restored_as_not_set(kube: Cluster) -> None:
    kube.scale_by_keda("web")
    kube.objects["deployments", "web"]["spec"]["replicas"] = 1
    provider = ScaledObject(locator=LOCATOR)
    baseline = provider.read().state
    before = dict(spec(kube, "scaledobjects"))

    bring(kube, provider, provider.state_for(120, baseline=baseline) | {"min": 8})
    assert spec(kube, "scaledobjects")["maxReplicaCount"] == 120
    bring(kube, provider, baseline)

    assert (baseline, spec(kube, "scaledobjects")) == ({"min": None, "max": None}, before)


def test_a_bound_that_need_not_change_stays_unset() -> None:
    provider = ScaledObject()

    assert provider.state_for(0, baseline={"min": None, "max": None}) == {"min": None, "max": None}
    assert provider.state_for(100, baseline={"min": None, "max": None}) == {"min": 100, "max": None}
    assert provider.state_for(12, baseline={"min": 2, "max": 9}) == {"min": 12, "max": 12}
    assert provider.is_same({"min": None, "max": None}, {"min": 0, "max": 100})
    assert not provider.is_same({"min": None, "max": 9}, {"min": 0, "max": 100})


@pytest.mark.parametrize("note", ["paused", "paused-replicas", "paused-scale-out"])
def test_a_paused_scaled_object_is_not_raised_but_can_be_restored(kube: Cluster, note: str) -> None:
    kube.scale_by_keda("web", minReplicaCount=4, maxReplicaCount=9)
    kube.objects["scaledobjects", "web"]["metadata"]["annotations"] = {f"autoscaling.keda.sh/{note}": "true"}
    provider = ScaledObject(locator=LOCATOR)
    annotation = f"autoscaling.keda.sh/{note}"
    sentence = f"It is paused by the annotation “{annotation}”, so nothing is scaled: remove the annotation"

    assert refused(provider, "apply", {"min": 6, "max": 9}) == f"{sentence}."
    assert sentence in provider.read().message
    assert kube.patches == []

    provider.apply({"min": 2, "max": 9}, key="two")

    assert spec(kube, "scaledobjects")["minReplicaCount"] == 2


def test_a_scaled_object_with_an_idle_count_is_not_raised(kube: Cluster) -> None:
    kube.scale_by_keda("web", minReplicaCount=1, maxReplicaCount=9, idleReplicaCount=0)

    assert refused(ScaledObject(locator=LOCATOR), "apply", {"min": 6, "max": 9}) == (
        "idleReplicaCount is set, so without load KEDA scales to that and not to the minimum: remove it for drops."
    )


def test_kedas_own_problems_are_reported(kube: Cluster) -> None:
    kube.scale_by_keda("web", minReplicaCount=1)
    kube.objects["scaledobjects", "web"]["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "message": "failed to ensure HPA is correctly created"}
    ]

    assert (
        "KEDA is not ready: failed to ensure HPA is correctly created"
        in ScaledObject(locator=LOCATOR).read().message
    )


def test_a_scaled_object_without_its_hpa_is_moving(kube: Cluster) -> None:
    kube.scale_by_keda("web", minReplicaCount=1)
    del kube.objects["scaledobjects", "web"]["status"]["hpaName"]

    reading = ScaledObject(locator=LOCATOR).read()

    assert reading.moving
    assert "KEDA hasn't created its HPA yet" in reading.message


def test_a_cluster_without_keda_is_refused(kube: Cluster) -> None:
    kube.has_keda = False

    assert refused(ScaledObject(locator=LOCATOR)) == (
        "This cluster has no scaledobjects of “keda.sh” (404). Check that it is installed there."
    )
