"""An HPA, by the official client against a cluster that is served over HTTP."""

from drops.scaling.providers.kubernetes.hpa import Autoscaler
from tests.drops.scaling.kube_cloud import Cluster
from tests.drops.scaling.providers.kube import WHERE, bring, refused, spec


def test_an_hpa_is_ready_only_when_the_pods_of_its_minimum_are(kube: Cluster) -> None:
    kube.autoscale("web", 2, 10)
    kind = Autoscaler(locator=WHERE)

    readings = bring(kube, kind, kind.state_for(6, baseline=kind.read().state))

    assert [(reading.size, reading.serving, reading.moving) for reading in readings] == [
        (6, 2, True), (6, 2, True), (6, 2, True), (6, 6, False),
    ]  # fmt: skip
    assert "the HPA has not acted on its minimum yet" in readings[0].message
    assert kube.patches == [("horizontalpodautoscalers/web", {"spec": {"minReplicas": 6, "maxReplicas": 10}})]


def test_a_maximum_rises_with_the_minimum_and_comes_back_exactly(kube: Cluster) -> None:
    kube.autoscale("web", 2, 5)
    kind = Autoscaler(locator=WHERE)
    baseline = kind.read().state
    state = kind.state_for(8, baseline=baseline)

    assert (baseline, state) == ({"min": 2, "max": 5}, {"min": 8, "max": 8})

    bring(kube, kind, state)
    bring(kube, kind, baseline)

    assert (
        spec(kube, "horizontalpodautoscalers")["minReplicas"],
        spec(kube, "horizontalpodautoscalers")["maxReplicas"],
    ) == (2, 5)


def test_pods_that_load_had_brought_do_not_count_before_the_hpa_acts(kube: Cluster) -> None:
    kube.autoscale("web", 2, 10)
    kube.things["deployments", "web"]["status"]["readyReplicas"] = 8
    kind = Autoscaler(locator=WHERE)

    kind.apply({"min": 6, "max": 10}, key="one")

    assert not kind.is_ready(kind.read(), {"min": 6, "max": 10})


def test_an_hpa_that_keda_owns_is_refused(kube: Cluster) -> None:
    kube.scale_by_keda("web", minReplicaCount=2, maxReplicaCount=9)
    kind = Autoscaler(locator=WHERE | {"name": "keda-hpa-web"})

    for call in ("read", "apply"):
        assert refused(kind, call, {"min": 5, "max": 9}) == (
            "KEDA owns the HPA “keda-hpa-web” and writes it anew from its ScaledObject “web”: nothing set here would "
            "last. Make the ScaledObject the target (kind “KEDA ScaledObject”)."
        )
    assert kube.patches == []


def test_an_hpa_at_no_pods_says_that_it_is_off(kube: Cluster) -> None:
    kube.deploy("web", 0)
    kube.autoscale("web", 2, 10)

    reading = Autoscaler(locator=WHERE).read()

    assert reading.moving
    assert "at 0 pods an HPA does nothing: scale what it scales to 1 or more" in reading.message


def test_an_hpa_never_gets_a_minimum_of_0() -> None:
    assert Autoscaler().state_for(0, baseline={"min": 2, "max": 5}) == {"min": 1, "max": 5}


def test_a_minimum_that_is_not_set_means_1() -> None:
    assert Autoscaler().is_same({"min": None, "max": 5}, {"min": 1, "max": 5})
    assert not Autoscaler().is_same({"min": None, "max": 5}, {"min": 1, "max": 6})


def test_what_is_neither_deployment_nor_stateful_set_is_refused(kube: Cluster) -> None:
    kube.autoscale("web", 2, 10)
    spec(kube, "horizontalpodautoscalers")["scaleTargetRef"]["kind"] = "Rollout"

    assert refused(Autoscaler(locator=WHERE)) == (
        "It scales a Rollout, and only Deployments and StatefulSets can be read back. Take another target."
    )


def test_a_minimum_above_the_maximum_is_refused_by_the_cluster(kube: Cluster) -> None:
    kube.autoscale("web", 2, 5)

    assert refused(Autoscaler(locator=WHERE), "apply", {"min": 8, "max": 5}).startswith(
        'The API server doesn\'t accept it (422): horizontalpodautoscalers.autoscaling "web" is invalid'
    )
