"""A KEDA ScaledObject, by its minimum.

KEDA copies it to the HPA that it owns, and whether it has is read there.
"""

from typing import ClassVar

from drops.scaling.providers.base import ApplyRefused, Reading, State
from drops.scaling.providers.kubernetes.client import (
    AUTOSCALER,
    DEPLOYMENT,
    SCALED_OBJECT,
    Cluster,
    Document,
    Resource,
    conditions_with,
    value_at,
)
from drops.scaling.providers.kubernetes.hpa import read_progress
from drops.scaling.providers.kubernetes.pods import NamespacedProvider, Pods, read_pods

DEFAULT_MIN_REPLICAS, DEFAULT_MAX_REPLICAS = 0, 100  # KEDA's, where a bound is not set
PAUSE_ANNOTATIONS = tuple(
    f"autoscaling.keda.sh/{name}" for name in ("paused", "paused-replicas", "paused-scale-out")
)


class ScaledObject(NamespacedProvider):
    """State: {"min": n or None, "max": m or None}. None is a bound that isn't set, and stays unset."""

    name: ClassVar[str] = "KEDA ScaledObject"
    api_resource: ClassVar[Resource] = SCALED_OBJECT
    credentials: ClassVar[str] = (
        "KUBECONFIG in the environment, or the pod's service account. It needs a Role with: get"
        " namespaces, get and patch scaledobjects, get horizontalpodautoscalers, deployments and"
        " statefulsets, list pods."
    )

    def check_effective(self, document: Document, state: State) -> None:
        """Raise ApplyRefused for a higher minimum that KEDA would ignore; lowering it is always allowed."""
        current = value_at(document, "spec.minReplicaCount", int) or DEFAULT_MIN_REPLICAS
        if (state["min"] or DEFAULT_MIN_REPLICAS) <= current:
            return
        obstacle = find_obstacle(document)
        if obstacle:
            raise ApplyRefused(f"{obstacle}.")

    def observe(self, document: Document, cluster: Cluster) -> Reading:
        """Read both bounds, the HPA that KEDA created, and the pods."""
        state = {name: value_at(document, f"spec.{name}ReplicaCount", int) for name in ("min", "max")}
        kind = value_at(document, "spec.scaleTargetRef.kind", str, DEPLOYMENT.kind)
        pods = read_pods(cluster, kind=kind, name=value_at(document, "spec.scaleTargetRef.name", str, ""))
        is_behind, messages = self._read_progress(document, state, pods, cluster)
        obstacle = find_obstacle(document)
        if obstacle:
            messages.append(obstacle)
        not_ready = conditions_with(document, type_="Ready", status="False")
        messages += [f"KEDA is not ready: {message}" for message in not_ready]
        return Reading(
            state=state,
            size=state["min"] or DEFAULT_MIN_REPLICAS,
            serving=pods.ready,
            moving=pods.moving or is_behind,
            message="; ".join([pods.message, *messages]),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Raise the minimum, and the maximum only if it is lower. A bound that needn't change stays unset."""
        low, high = baseline["min"], baseline["max"]
        if size != (low or DEFAULT_MIN_REPLICAS):
            low = size
        if size > (DEFAULT_MAX_REPLICAS if high is None else high):
            high = size
        return {"min": low, "max": high}

    def spec_of(self, state: State) -> Document:
        """Return both bounds; null removes one."""
        return {"minReplicaCount": state["min"], "maxReplicaCount": state["max"]}

    def is_same(self, one: State, other: State) -> bool:
        """Whether both mean the same to KEDA."""
        return effective_bounds(one) == effective_bounds(other)

    def _read_progress(
        self, document: Document, state: State, pods: Pods, cluster: Cluster
    ) -> tuple[bool, list[str]]:
        """Return whether KEDA or its HPA has yet to act on the bounds, and why."""
        low, high = effective_bounds(state)
        name = value_at(document, "status.hpaName", str, "")
        if not name:
            return True, ["KEDA hasn't created its HPA yet"]
        autoscaler = cluster.get(AUTOSCALER, name)
        bounds = (
            value_at(autoscaler, "spec.minReplicas", int, 1),
            value_at(autoscaler, "spec.maxReplicas", int, 0),
        )
        # An HPA's minimum is at least 1: between 0 and 1 KEDA scales the workload itself.
        if bounds != (max(1, low), high):
            return True, ["KEDA hasn't copied the bounds to its HPA yet"]
        if not low:
            return False, []
        return read_progress(autoscaler, minimum=low, pods=pods.desired)


def effective_bounds(state: State) -> tuple[int, int]:
    """Return both bounds as KEDA applies them."""
    high = DEFAULT_MAX_REPLICAS if state["max"] is None else state["max"]
    return state["min"] or DEFAULT_MIN_REPLICAS, high


def find_obstacle(scaled_object: Document) -> str:
    """Return why KEDA would ignore a higher minimum; empty if it wouldn't."""
    annotations = value_at(scaled_object, "metadata.annotations", dict, {})
    paused = [name for name in PAUSE_ANNOTATIONS if str(annotations.get(name, "false")).lower() != "false"]
    if paused:
        return f"It is paused by the annotation “{paused[0]}”, so nothing is scaled: remove the annotation"
    if value_at(scaled_object, "spec.idleReplicaCount", int) is not None:
        return (
            "idleReplicaCount is set, so without load KEDA scales to that and not to the minimum: "
            "remove it for drops"
        )
    return ""
