"""A Deployment, by the official client against a cluster that is served over HTTP."""

from drops.scaling.providers.kubernetes.deployment import Deployment
from tests.drops.scaling.kube_cloud import Cluster
from tests.drops.scaling.providers.kube import LOCATOR, bring, refused, spec


def test_read_returns_replicas_and_pods(kube: Cluster) -> None:
    reading = Deployment(locator=LOCATOR).read()

    assert (reading.state, reading.size, reading.serving, reading.moving) == ({"replicas": 2}, 2, 2, False)
    assert reading.message == "2 of 2 pods are ready"
    assert {verb for verb, _path in kube.calls} == {"get"}


def test_a_deployment_is_ready_only_when_its_pods_are(kube: Cluster) -> None:
    provider = Deployment(locator=LOCATOR)
    state = provider.state_for(5, baseline={"replicas": 2})

    readings = bring(kube, provider, state)

    assert [(reading.serving, reading.moving) for reading in readings] == [(2, True), (2, True), (5, False)]
    assert "the controller hasn't seen the last change yet" in readings[0].message
    assert "3 pending: 0/3 nodes are available: 3 Insufficient cpu." in readings[1].message
    assert kube.patches == [("deployments/web", {"spec": {"replicas": 5}})]


def test_a_change_that_its_controller_has_not_seen_is_not_ready(kube: Cluster) -> None:
    provider = Deployment(locator=LOCATOR)
    kube.objects["deployments", "web"]["status"]["readyReplicas"] = 9  # what stood before counts for nothing

    provider.apply({"replicas": 5}, key="one")

    assert not provider.is_ready(provider.read(), {"replicas": 5})


def test_one_pod_pending_is_not_ready(kube: Cluster) -> None:
    provider = Deployment(locator=LOCATOR)
    kube.pods["web-9"] = "Pending"

    assert not provider.is_ready(provider.read(), {"replicas": 2})


def test_a_deployment_is_not_ready_while_nodes_are_full(kube: Cluster) -> None:
    kube.max_running = 4
    provider = Deployment(locator=LOCATOR)
    provider.apply({"replicas": 6}, key="one")
    for _round in range(5):
        kube.advance()

    reading = provider.read()

    assert (reading.serving, reading.moving) == (4, True)
    assert not provider.is_ready(reading, {"replicas": 6})


def test_a_quota_on_pods_is_reported(kube: Cluster) -> None:
    kube.quota = 4
    provider = Deployment(locator=LOCATOR)
    provider.apply({"replicas": 6}, key="one")
    for _round in range(5):
        kube.advance()

    reading = provider.read()

    assert not provider.is_ready(reading, {"replicas": 6})
    assert 'a quota allows no more pods: pods "web-9" is forbidden: exceeded quota: drops' in reading.message


def test_a_deployment_is_restored_to_its_baseline(kube: Cluster) -> None:
    provider = Deployment(locator=LOCATOR)
    baseline = provider.read().state
    bring(kube, provider, provider.state_for(7, baseline=baseline))

    bring(kube, provider, baseline)

    assert provider.read().state == baseline
    assert spec(kube, "deployments")["replicas"] == 2


def test_applying_twice_has_one_effect(kube: Cluster) -> None:
    provider = Deployment(locator=LOCATOR)
    provider.apply({"replicas": 5}, key="one")
    provider.apply({"replicas": 5}, key="one")

    assert kube.objects["deployments", "web"]["metadata"]["generation"] == 2


def test_the_calls_audit_id_is_kept(kube: Cluster) -> None:
    assert Deployment(locator=LOCATOR).apply({"replicas": 5}, key="one").request_id == "audit-1"


def test_a_deployment_that_an_hpa_controls_is_refused(kube: Cluster) -> None:
    kube.autoscale("web", 2, 5)

    for call in ("read", "apply"):
        assert refused(Deployment(locator=LOCATOR), call, {"replicas": 5}) == (
            "The HPA “web” controls the replicas of Deployment “web” and would reset them. "
            "Make the HPA the target, or the ScaledObject if KEDA created the HPA."
        )
    assert kube.patches == []
