"""A Deployment, by the official client against a cluster that is served over HTTP."""

from drops.scaling.providers.kubernetes.deployment import Deployment
from tests.drops.scaling.kube_cloud import Cluster
from tests.drops.scaling.providers.kube import WHERE, bring, refused, spec


def test_read_tells_how_a_deployment_stands(kube: Cluster) -> None:
    reading = Deployment(locator=WHERE).read()

    assert (reading.state, reading.size, reading.serving, reading.moving) == ({"replicas": 2}, 2, 2, False)
    assert reading.message == "2 of 2 pods are ready"
    assert {verb for verb, _path in kube.calls} == {"get"}


def test_a_deployment_is_ready_only_when_its_pods_are(kube: Cluster) -> None:
    kind = Deployment(locator=WHERE)
    state = kind.state_for(5, baseline={"replicas": 2})

    readings = bring(kube, kind, state)

    assert [(reading.serving, reading.moving) for reading in readings] == [(2, True), (2, True), (5, False)]
    assert "the last change has not been seen yet" in readings[0].message
    assert "3 Pending: 0/3 nodes are available: 3 Insufficient cpu." in readings[1].message
    assert kube.patches == [("deployments/web", {"spec": {"replicas": 5}})]


def test_a_change_that_its_controller_has_not_seen_is_not_ready(kube: Cluster) -> None:
    kind = Deployment(locator=WHERE)
    kube.things["deployments", "web"]["status"]["readyReplicas"] = 9  # what stood before counts for nothing

    kind.apply({"replicas": 5}, key="one")

    assert not kind.is_ready(kind.read(), {"replicas": 5})


def test_one_pod_pending_is_not_ready(kube: Cluster) -> None:
    kind = Deployment(locator=WHERE)
    kube.pods["web-9"] = "Pending"

    assert not kind.is_ready(kind.read(), {"replicas": 2})


def test_nodes_that_are_full_keep_it_from_ready(kube: Cluster) -> None:
    kube.room = 4
    kind = Deployment(locator=WHERE)
    kind.apply({"replicas": 6}, key="one")
    for _round in range(5):
        kube.advance()

    reading = kind.read()

    assert (reading.serving, reading.moving) == (4, True)
    assert not kind.is_ready(reading, {"replicas": 6})


def test_a_quota_on_pods_is_told(kube: Cluster) -> None:
    kube.quota = 4
    kind = Deployment(locator=WHERE)
    kind.apply({"replicas": 6}, key="one")
    for _round in range(5):
        kube.advance()

    reading = kind.read()

    assert not kind.is_ready(reading, {"replicas": 6})
    assert 'a quota forbids more pods: pods "web-9" is forbidden: exceeded quota: drops' in reading.message


def test_a_deployment_comes_back_to_its_baseline(kube: Cluster) -> None:
    kind = Deployment(locator=WHERE)
    baseline = kind.read().state
    bring(kube, kind, kind.state_for(7, baseline=baseline))

    bring(kube, kind, baseline)

    assert kind.read().state == baseline
    assert spec(kube, "deployments")["replicas"] == 2


def test_asking_twice_is_asking_once(kube: Cluster) -> None:
    kind = Deployment(locator=WHERE)
    kind.apply({"replicas": 5}, key="one")
    kind.apply({"replicas": 5}, key="one")

    assert kube.things["deployments", "web"]["metadata"]["generation"] == 2


def test_the_number_of_the_call_in_the_audit_log_is_kept(kube: Cluster) -> None:
    assert Deployment(locator=WHERE).apply({"replicas": 5}, key="one").request_id == "audit-1"


def test_a_deployment_that_an_hpa_owns_is_refused(kube: Cluster) -> None:
    kube.autoscale("web", 2, 5)

    for call in ("read", "apply"):
        assert refused(Deployment(locator=WHERE), call, {"replicas": 5}) == (
            "The HPA “web” owns the replicas of Deployment “web” and would set them back. "
            "Make the HPA the target, or KEDA's ScaledObject if that owns the HPA."
        )
    assert kube.patches == []
