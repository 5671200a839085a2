"""A Kubernetes HorizontalPodAutoscaler, by its minimum. The maximum is raised if needed, and restored.

Above the minimum the autoscaler scales by load as before. An HPA that KEDA created is refused, because KEDA
overwrites it from its ScaledObject.
"""

from typing import ClassVar

from drops.scaling.providers.base import ApplyRefused, Reading, State
from drops.scaling.providers.kubernetes.client import (
    AUTOSCALER,
    SCALED_OBJECT,
    Cluster,
    Document,
    Resource,
    conditions_with,
    count_at,
    value_at,
)
from drops.scaling.providers.kubernetes.pods import NamespacedProvider, read_pods

DEFAULT_MIN_REPLICAS = 1  # where the HPA has no minReplicas


class Autoscaler(NamespacedProvider):
    """State: {"min": n, "max": m}."""

    name: ClassVar[str] = "Kubernetes HPA"
    api_resource: ClassVar[Resource] = AUTOSCALER
    credentials: ClassVar[str] = (
        "KUBECONFIG in the environment, or the pod's service account. It needs a Role with: get"
        " namespaces, get and patch horizontalpodautoscalers, get deployments and statefulsets, list pods."
    )

    def fetch(self, cluster: Cluster) -> Document:
        """Return the HPA. Raises ApplyRefused if KEDA owns it."""
        autoscaler = super().fetch(cluster)
        owner = scaled_object_name(autoscaler)
        if owner:
            raise ApplyRefused(
                f"KEDA owns the HPA “{self.locator['name']}” and overwrites it from its ScaledObject"
                f" “{owner}”, so nothing set here would last. Make the ScaledObject the target (provider"
                " “KEDA ScaledObject”)."
            )
        return autoscaler

    def observe(self, document: Document, cluster: Cluster) -> Reading:
        """Read both bounds, and the pods of the workload that it scales."""
        low, high = value_at(document, "spec.minReplicas", int), count_at(document, "spec.maxReplicas")
        size = DEFAULT_MIN_REPLICAS if low is None else low
        workload = value_at(document, "spec.scaleTargetRef", dict, {})
        kind, name = value_at(workload, "kind", str, ""), value_at(workload, "name", str, "")
        pods = read_pods(cluster, kind=kind, name=name)
        is_behind, messages = read_progress(document, minimum=size, pods=pods.desired)
        return Reading(
            state={"min": low, "max": high},
            size=size,
            serving=pods.ready,
            moving=pods.moving or is_behind,
            message="; ".join([pods.message, *messages]),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Raise the minimum, and the maximum only where it is lower."""
        low = max(DEFAULT_MIN_REPLICAS, size)
        return {"min": low, "max": max(baseline["max"], low)}

    def spec_of(self, state: State) -> Document:
        """Return both bounds, as they must be set at once: a minimum above the maximum would be refused."""
        return {"minReplicas": state["min"], "maxReplicas": state["max"]}

    def is_same(self, one: State, other: State) -> bool:
        """Whether both mean the same: without a minimum it is 1."""
        low, other_low = one["min"] or DEFAULT_MIN_REPLICAS, other["min"] or DEFAULT_MIN_REPLICAS
        return bool(one["max"] == other["max"] and low == other_low)


def scaled_object_name(autoscaler: Document) -> str:
    """Return the name of the ScaledObject that owns an HPA; empty if none does."""
    for owner in value_at(autoscaler, "metadata.ownerReferences", list, []):
        group = value_at(owner, "apiVersion", str, "").partition("/")[0]
        if group == SCALED_OBJECT.group and value_at(owner, "kind", str, "") == SCALED_OBJECT.kind:
            return str(value_at(owner, "name", str, "")) or "?"
    labels = value_at(autoscaler, "metadata.labels", dict, {})
    return str(labels.get("scaledobject.keda.sh/name") or "")


def read_progress(autoscaler: Document, *, minimum: int, pods: int) -> tuple[bool, list[str]]:
    """Return whether an HPA has yet to act on its minimum, and what keeps it from acting."""
    messages = []
    if not pods:
        messages.append("an HPA does nothing while its workload has 0 pods: scale it to 1 or more")
    blocked = conditions_with(autoscaler, type_="AbleToScale", status="False")
    messages += [f"the HPA can't scale: {message}" for message in blocked]
    observed = value_at(autoscaler, "status.observedGeneration", int)
    # Not every HPA controller reports the generation that it has seen.
    has_not_seen = observed is not None and observed < count_at(autoscaler, "metadata.generation")
    is_behind = has_not_seen or count_at(autoscaler, "status.desiredReplicas") < minimum
    if is_behind:
        messages.append("the HPA hasn't acted on its minimum yet")
    return is_behind, messages
