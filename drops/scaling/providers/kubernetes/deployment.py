"""A Kubernetes Deployment, by its number of replicas: for one that no autoscaler controls."""

from typing import ClassVar

from drops.scaling.providers.base import ApplyRefused, Reading, State
from drops.scaling.providers.kubernetes.client import (
    AUTOSCALER,
    DEPLOYMENT,
    Cluster,
    Document,
    Resource,
    count_at,
    value_at,
)
from drops.scaling.providers.kubernetes.pods import NamespacedProvider, read_pods


class Deployment(NamespacedProvider):
    """State: {"replicas": n}."""

    name: ClassVar[str] = "Kubernetes Deployment"
    api_resource: ClassVar[Resource] = DEPLOYMENT
    credentials: ClassVar[str] = (
        "KUBECONFIG in the environment, or the pod's service account. It needs a Role with: get"
        " namespaces, get and patch deployments, list pods, list horizontalpodautoscalers."
    )

    def fetch(self, cluster: Cluster) -> Document:
        """Return the Deployment.

        Raises ApplyRefused if an autoscaler controls its replicas, as it would reset them.
        """
        deployment = super().fetch(cluster)
        name = self.locator["name"]
        for autoscaler in cluster.list(AUTOSCALER):
            scaled = (
                value_at(autoscaler, "spec.scaleTargetRef.kind", str, ""),
                value_at(autoscaler, "spec.scaleTargetRef.name", str, ""),
            )
            if scaled == (DEPLOYMENT.kind, name):
                raise ApplyRefused(
                    f"The HPA “{value_at(autoscaler, 'metadata.name', str, '')}” controls the replicas of"
                    f" Deployment “{name}” and would reset them. Make the HPA the target, or the"
                    " ScaledObject if KEDA created the HPA."
                )
        return deployment

    def observe(self, document: Document, cluster: Cluster) -> Reading:
        """Read its replicas and its pods."""
        replicas = count_at(document, "spec.replicas", 1)
        pods = read_pods(cluster, kind=DEPLOYMENT.kind, name=str(self.locator["name"]))
        return Reading(
            state={"replicas": replicas},
            size=replicas,
            serving=pods.ready,
            moving=pods.moving,
            message=pods.message,
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Return that many replicas."""
        return {"replicas": size}

    def spec_of(self, state: State) -> Document:
        """Return the field that the state sets."""
        return {"replicas": state["replicas"]}
