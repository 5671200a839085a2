"""A Kubernetes Deployment, by its number of replicas: for one that no autoscaler owns."""

from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.base import ApplyRefused, Reading, State
from drops.scaling.providers.kubernetes.client import AUTOSCALER, DEPLOYMENT, Cluster, Document, Resource, count, under
from drops.scaling.providers.kubernetes.pods import InNamespace, pods_of


class Deployment(InNamespace):
    """State: {"replicas": n}."""

    name: ClassVar[str] = gettext_noop("Kubernetes Deployment")
    api_resource: ClassVar[Resource] = DEPLOYMENT
    credentials: ClassVar[str] = gettext_noop(
        "KUBECONFIG in the environment, or the pod's service account. A Role with: get namespaces, get and patch "
        "deployments, list pods, list horizontalpodautoscalers."
    )

    def find(self, cluster: Cluster) -> Document:
        """Give the Deployment. Raises Refused if an autoscaler owns its replicas: it would set them back."""
        found = super().find(cluster)
        for autoscaler in cluster.list(AUTOSCALER):
            scaled = (
                under(autoscaler, "spec.scaleTargetRef.kind", str, ""),
                under(autoscaler, "spec.scaleTargetRef.name", str, ""),
            )
            if scaled == (DEPLOYMENT.kind, self.locator["name"]):
                raise ApplyRefused(
                    _(
                        "The HPA “%(autoscaler)s” owns the replicas of Deployment “%(name)s” and would set them back. "
                        "Make the HPA the target, or KEDA's ScaledObject if that owns the HPA."
                    )
                    % {"autoscaler": under(autoscaler, "metadata.name", str, ""), "name": self.locator["name"]}
                )
        return found

    def look_at(self, found: Document, cluster: Cluster) -> Reading:
        """Count its pods."""
        replicas = count(found, "spec.replicas", 1)
        pods = pods_of(cluster, kind=DEPLOYMENT.kind, name=str(self.locator["name"]))
        return Reading(
            state={"replicas": replicas}, size=replicas, serving=pods.ready, moving=pods.moving, message=pods.message
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Ask for that many replicas."""
        return {"replicas": size}

    def spec_of(self, state: State) -> Document:
        """Set the replicas."""
        return {"replicas": state["replicas"]}
