"""An HPA, by the official client against a cluster that is served over HTTP."""

from drops.scaling.providers.kubernetes.hpa import Autoscaler
from tests.drops.scaling.kube_cloud import Cluster
from tests.drops.scaling.providers.kube import LOCATOR, bring, refused, spec


def test_an_hpa_is_ready_only_when_the_pods_of_its_minimum_are(kube: Cluster) -> None:
    kube.autoscale("web", 2, 10)
    provider = Autoscaler(locator=LOCATOR)

    readings = bring(kube, provider, provider.state_for(6, baseline=provider.read().state))

    assert [(reading.size, reading.serving, reading.moving) for reading in readings] == [
        (6, 2, True), (6, 2, True), (6, 2, True), (6, 6, False),
    ]  # fmt: skip
    assert "the HPA hasn't acted on its minimum yet" in readings[0].message
    assert kube.patches == [("horizontalpodautoscalers/web", {"spec": {"minReplicas": 6, "maxReplicas": 10}})]


def test_a_maximum_rises_with_the_minimum_and_is_restored_exactly(kube: Cluster) -> None:
    kube.autoscale("web", 2, 5)
    provider = Autoscaler(locator=LOCATOR)
    baseline = provider.read().state
    state = provider.state_for(8, baseline=baseline)

    assert (baseline, state) == ({"min": 2, "max": 5}, {"min": 8, "max": 8})

    bring(kube, provider, state)
    bring(kube, provider, baseline)

    assert (
        spec(kube, "horizontalpodautoscalers")["minReplicas"],
        spec(kube, "horizontalpodautoscalers")["maxReplicas"],
    ) == (2, 5)


def test_pods_started_by_load_do_not_count_before_the_hpa_acts(kube: Cluster) -> None:
    kube.autoscale("web", 2, 10)
    kube.objects["deployments", "web"]["status"]["readyReplicas"] = 8
    provider = Autoscaler(locator=LOCATOR)

    provider.apply({"min": 6, "max": 10}, key="one")

    assert not provider.is_ready(provider.read(), {"min": 6, "max": 10})


def test_an_hpa_that_keda_owns_is_refused(kube: Cluster) -> None:
    kube.scale_by_keda("web", minReplicaCount=2, maxReplicaCount=9)
    provider = Autoscaler(locator=LOCATOR | {"name": "keda-hpa-web"})

    for call in ("read", "apply"):
        assert refused(provider, call, {"min": 5, "max": 9}) == (
            "KEDA owns the HPA “keda-hpa-web” and overwrites it from its ScaledObject “web”, so nothing"
            " set here would last. Make the ScaledObject the target (provider “KEDA ScaledObject”)."
        )
    assert kube.patches == []


def test_an_hpa_whose_workload_has_no_pods_is_reported_as_off(kube: Cluster) -> None:
    kube.deploy("web", 0)
    kube.autoscale("web", 2, 10)

    reading = Autoscaler(locator=LOCATOR).read()

    assert reading.moving
    assert "an HPA does nothing while its workload has 0 pods: scale it to 1 or more" in reading.message


def test_an_hpa_never_gets_a_minimum_of_0() -> None:
    assert Autoscaler().state_for(0, baseline={"min": 2, "max": 5}) == {"min": 1, "max": 5}


def test_a_minimum_that_is_not_set_means_1() -> None:
    assert Autoscaler().is_same({"min": None, "max": 5}, {"min": 1, "max": 5})
    assert not Autoscaler().is_same({"min": None, "max": 5}, {"min": 1, "max": 6})


def test_a_workload_that_cannot_be_read_is_refused(kube: Cluster) -> None:
    kube.autoscale("web", 2, 10)
    spec(kube, "horizontalpodautoscalers")["scaleTargetRef"]["kind"] = "Rollout"

    assert refused(Autoscaler(locator=LOCATOR)) == (
        "It scales a Rollout, but only Deployments and StatefulSets can be read back. Choose a different target."
    )


def test_a_minimum_above_the_maximum_is_refused_by_the_cluster(kube: Cluster) -> None:
    kube.autoscale("web", 2, 5)

    assert refused(Autoscaler(locator=LOCATOR), "apply", {"min": 8, "max": 5}).startswith(
        'The API server rejects this (422): horizontalpodautoscalers.autoscaling "web" is invalid'
    )
