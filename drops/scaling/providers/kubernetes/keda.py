"""A KEDA ScaledObject, by its minimum. KEDA carries it over to the HPA that it owns; whether it has is read there."""

from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.base import ApplyRefused, Reading, State
from drops.scaling.providers.kubernetes.client import (
    AUTOSCALER,
    DEPLOYMENT,
    SCALED_OBJECT,
    Cluster,
    Document,
    Resource,
    shown,
    under,
)
from drops.scaling.providers.kubernetes.hpa import lag_of
from drops.scaling.providers.kubernetes.pods import InNamespace, Pods, pods_of

LEAST, MOST = 0, 100  # what bounds that are not set mean to KEDA
PAUSES = tuple(f"autoscaling.keda.sh/{name}" for name in ("paused", "paused-replicas", "paused-scale-out"))


class ScaledObject(InNamespace):
    """State: {"min": n or None, "max": m or None}; None is a bound that is not set, and comes back as that."""

    name: ClassVar[str] = gettext_noop("KEDA ScaledObject")
    api_resource: ClassVar[Resource] = SCALED_OBJECT
    credentials: ClassVar[str] = gettext_noop(
        "KUBECONFIG in the environment, or the pod's service account. A Role with: get namespaces, get and patch "
        "scaledobjects, get horizontalpodautoscalers, deployments and statefulsets, list pods."
    )

    def permit(self, found: Document, state: State) -> None:
        """Refuse to raise a minimum that KEDA would not act on; bringing it back down is always allowed."""
        if (state["min"] or LEAST) <= (under(found, "spec.minReplicaCount", int) or LEAST):
            return
        obstacle = obstacle_of(found)
        if obstacle:
            raise ApplyRefused(obstacle)

    def look_at(self, found: Document, cluster: Cluster) -> Reading:
        """Read both bounds, the HPA that KEDA made of them, and the pods."""
        state = {name: under(found, f"spec.{name}ReplicaCount", int) for name in ("min", "max")}
        kind = under(found, "spec.scaleTargetRef.kind", str, DEPLOYMENT.kind)
        pods = pods_of(cluster, kind=kind, name=under(found, "spec.scaleTargetRef.name", str, ""))
        behind, words = self._lag(found, state, pods, cluster)
        obstacle = obstacle_of(found)
        return Reading(
            state=state,
            size=state["min"] or LEAST,
            serving=pods.ready,
            moving=pods.moving or behind,
            message="; ".join([pods.message, *words, *([obstacle] if obstacle else []), *troubles_of(found)]),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Raise the minimum, and the maximum only if it lay below; what is not set and does stays so."""
        least, most = baseline["min"], baseline["max"]
        if size != (least or LEAST):
            least = size
        return {"min": least, "max": size if size > (MOST if most is None else most) else most}

    def spec_of(self, state: State) -> Document:
        """Set both bounds at once; null takes one away."""
        return {"minReplicaCount": state["min"], "maxReplicaCount": state["max"]}

    def is_same(self, one: State, other: State) -> bool:
        """Whether both mean the same to KEDA."""
        return meant(one) == meant(other)

    def _lag(self, found: Document, state: State, pods: Pods, cluster: Cluster) -> tuple[bool, list[str]]:
        """Say whether KEDA, and then its HPA, have not acted on the bounds yet."""
        least, most = meant(state)
        name = under(found, "status.hpaName", str, "")
        if not name:
            return True, [_("KEDA has made no HPA of it yet")]
        autoscaler = cluster.get(AUTOSCALER, name)
        bounds = (under(autoscaler, "spec.minReplicas", int, 1), under(autoscaler, "spec.maxReplicas", int, 0))
        if bounds != (max(1, least), most):
            return True, [_("KEDA has not carried the bounds over to its HPA yet")]
        if not least:
            return False, []  # KEDA itself takes it to 0 and back
        return lag_of(autoscaler, least=least, pods=pods.wanted)


def meant(state: State) -> tuple[int, int]:
    """Give both bounds as KEDA means them."""
    return state["min"] or LEAST, MOST if state["max"] is None else state["max"]


def obstacle_of(scaled: Document) -> str:
    """Say why KEDA would not act on a higher minimum; empty if it would."""
    notes = under(scaled, "metadata.annotations", dict, {})
    paused = [name for name in PAUSES if str(notes.get(name, "false")).lower() != "false"]
    if paused:
        return _("It is paused by the annotation “%(name)s”: take it away, or nothing is scaled") % {"name": paused[0]}
    if under(scaled, "spec.idleReplicaCount", int) is not None:
        return _("idleReplicaCount is set: without load KEDA goes there, not to the minimum; take it out for a drop")
    return ""


def troubles_of(scaled: Document) -> list[str]:
    """Say what KEDA itself finds wrong with it."""
    return [
        _("KEDA is not ready: %(said)s") % {"said": shown(under(condition, "message", str, ""))}
        for condition in under(scaled, "status.conditions", list, [])
        if under(condition, "type", str, "") == "Ready" and under(condition, "status", str, "") == "False"
    ]
