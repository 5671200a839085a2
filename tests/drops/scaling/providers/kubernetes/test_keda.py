"""A ScaledObject, by the official client against a cluster that is served over HTTP."""

import pytest

from drops.scaling.providers.kubernetes.keda import ScaledObject
from tests.drops.scaling.kube_cloud import Cluster
from tests.drops.scaling.providers.kube import WHERE, bring, refused, spec


def test_a_scaled_object_is_ready_when_keda_and_its_hpa_have_acted(kube: Cluster) -> None:
    kube.scale_by_keda("web", minReplicaCount=1, maxReplicaCount=9)
    kind = ScaledObject(locator=WHERE)

    readings = bring(kube, kind, kind.state_for(6, baseline=kind.read().state))

    assert [(reading.serving, reading.moving) for reading in readings][-1] == (6, False)
    assert "KEDA has not carried the bounds over to its HPA yet" in readings[0].message
    assert "the HPA has not acted on its minimum yet" in readings[1].message
    assert kube.patches == [("scaledobjects/web", {"spec": {"minReplicaCount": 6, "maxReplicaCount": 9}})]


def test_bounds_that_were_not_set_come_back_as_not_set(kube: Cluster) -> None:
    kube.scale_by_keda("web")
    kube.things["deployments", "web"]["spec"]["replicas"] = 1
    kind = ScaledObject(locator=WHERE)
    baseline = kind.read().state
    before = dict(spec(kube, "scaledobjects"))

    bring(kube, kind, kind.state_for(120, baseline=baseline) | {"min": 8})
    assert spec(kube, "scaledobjects")["maxReplicaCount"] == 120
    bring(kube, kind, baseline)

    assert (baseline, spec(kube, "scaledobjects")) == ({"min": None, "max": None}, before)


def test_a_bound_that_need_not_move_stays_unset() -> None:
    kind = ScaledObject()

    assert kind.state_for(0, baseline={"min": None, "max": None}) == {"min": None, "max": None}
    assert kind.state_for(100, baseline={"min": None, "max": None}) == {"min": 100, "max": None}
    assert kind.state_for(12, baseline={"min": 2, "max": 9}) == {"min": 12, "max": 12}
    assert kind.is_same({"min": None, "max": None}, {"min": 0, "max": 100})
    assert not kind.is_same({"min": None, "max": 9}, {"min": 0, "max": 100})


@pytest.mark.parametrize("note", ["paused", "paused-replicas", "paused-scale-out"])
def test_a_paused_scaled_object_is_not_raised_but_can_be_brought_back(kube: Cluster, note: str) -> None:
    kube.scale_by_keda("web", minReplicaCount=4, maxReplicaCount=9)
    kube.things["scaledobjects", "web"]["metadata"]["annotations"] = {f"autoscaling.keda.sh/{note}": "true"}
    kind = ScaledObject(locator=WHERE)
    sentence = f"It is paused by the annotation “autoscaling.keda.sh/{note}”: take it away, or nothing is scaled"

    assert refused(kind, "apply", {"min": 6, "max": 9}) == sentence
    assert sentence in kind.read().message
    assert kube.patches == []

    kind.apply({"min": 2, "max": 9}, key="two")

    assert spec(kube, "scaledobjects")["minReplicaCount"] == 2


def test_a_scaled_object_that_idles_elsewhere_is_not_raised(kube: Cluster) -> None:
    kube.scale_by_keda("web", minReplicaCount=1, maxReplicaCount=9, idleReplicaCount=0)

    assert refused(ScaledObject(locator=WHERE), "apply", {"min": 6, "max": 9}) == (
        "idleReplicaCount is set: without load KEDA goes there, not to the minimum; take it out for a drop"
    )


def test_what_keda_finds_wrong_is_told(kube: Cluster) -> None:
    kube.scale_by_keda("web", minReplicaCount=1)
    kube.things["scaledobjects", "web"]["status"]["conditions"] = [
        {"type": "Ready", "status": "False", "message": "failed to ensure HPA is correctly created"}
    ]

    assert "KEDA is not ready: failed to ensure HPA is correctly created" in ScaledObject(locator=WHERE).read().message


def test_a_scaled_object_without_its_hpa_is_moving(kube: Cluster) -> None:
    kube.scale_by_keda("web", minReplicaCount=1)
    del kube.things["scaledobjects", "web"]["status"]["hpaName"]

    reading = ScaledObject(locator=WHERE).read()

    assert reading.moving
    assert "KEDA has made no HPA of it yet" in reading.message


def test_a_cluster_without_keda_says_so(kube: Cluster) -> None:
    kube.has_keda = False

    assert refused(ScaledObject(locator=WHERE)) == (
        "This cluster knows no scaledobjects of “keda.sh” (404). Is it installed there?"
    )
