"""A Kubernetes HorizontalPodAutoscaler, by its minimum. The maximum rises with it where it must, and comes back.

The autoscaler goes on working: above the minimum it scales by load as before. One that KEDA made is refused, because
KEDA writes it anew from its ScaledObject.
"""

from typing import ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.base import ApplyRefused, Reading, State
from drops.scaling.providers.kubernetes.client import (
    AUTOSCALER,
    SCALED_OBJECT,
    Cluster,
    Document,
    Resource,
    count,
    shown,
    under,
)
from drops.scaling.providers.kubernetes.pods import InNamespace, pods_of

LEAST = 1  # what a minimum that is not set means


class Autoscaler(InNamespace):
    """State: {"min": n, "max": m}."""

    name: ClassVar[str] = gettext_noop("Kubernetes HPA")
    api_resource: ClassVar[Resource] = AUTOSCALER
    credentials: ClassVar[str] = gettext_noop(
        "KUBECONFIG in the environment, or the pod's service account. A Role with: get namespaces, get and patch "
        "horizontalpodautoscalers, get deployments and statefulsets, list pods."
    )

    def find(self, cluster: Cluster) -> Document:
        """Give the HPA. Raises Refused if KEDA owns it."""
        found = super().find(cluster)
        owner = owner_of(found)
        if owner:
            raise ApplyRefused(
                _(
                    "KEDA owns the HPA “%(name)s” and writes it anew from its ScaledObject “%(owner)s”: nothing set "
                    "here would last. Make the ScaledObject the target (kind “KEDA ScaledObject”)."
                )
                % {"name": self.locator["name"], "owner": owner}
            )
        return found

    def look_at(self, found: Document, cluster: Cluster) -> Reading:
        """Read both bounds, and count the pods of what it scales."""
        least, most = under(found, "spec.minReplicas", int), count(found, "spec.maxReplicas")
        size = LEAST if least is None else least
        scaled = under(found, "spec.scaleTargetRef", dict, {})
        pods = pods_of(cluster, kind=under(scaled, "kind", str, ""), name=under(scaled, "name", str, ""))
        behind, words = lag_of(found, least=size, pods=pods.wanted)
        return Reading(
            state={"min": least, "max": most},
            size=size,
            serving=pods.ready,
            moving=pods.moving or behind,
            message="; ".join([pods.message, *words]),
        )

    def state_for(self, size: int, *, baseline: State) -> State:
        """Raise the minimum, and the maximum only if it lay below."""
        least = max(LEAST, size)
        return {"min": least, "max": max(baseline["max"], least)}

    def spec_of(self, state: State) -> Document:
        """Set both bounds at once: a minimum above the maximum would be refused."""
        return {"minReplicas": state["min"], "maxReplicas": state["max"]}

    def is_same(self, one: State, other: State) -> bool:
        """Whether both mean the same: a minimum that is not set is 1."""
        return one["max"] == other["max"] and (one["min"] or LEAST) == (other["min"] or LEAST)


def owner_of(autoscaler: Document) -> str:
    """Give the name of the ScaledObject that owns an HPA; empty if none does."""
    for owner in under(autoscaler, "metadata.ownerReferences", list, []):
        group = under(owner, "apiVersion", str, "").partition("/")[0]
        if group == SCALED_OBJECT.group and under(owner, "kind", str, "") == SCALED_OBJECT.kind:
            return str(under(owner, "name", str, "")) or "?"
    labels = under(autoscaler, "metadata.labels", dict, {})
    return str(labels.get("scaledobject.keda.sh/name") or "")


def lag_of(autoscaler: Document, *, least: int, pods: int) -> tuple[bool, list[str]]:
    """Say whether an HPA has not acted on its minimum yet, and what keeps it from acting."""
    words = []
    if not pods:
        words.append(_("at 0 pods an HPA does nothing: scale what it scales to 1 or more"))
    words += [
        _("the HPA can't scale: %(said)s") % {"said": shown(under(condition, "message", str, ""))}
        for condition in under(autoscaler, "status.conditions", list, [])
        if under(condition, "type", str, "") == "AbleToScale" and under(condition, "status", str, "") == "False"
    ]
    observed, generation = under(autoscaler, "status.observedGeneration", int), count(autoscaler, "metadata.generation")
    behind = observed is not None and observed < generation
    behind = behind or count(autoscaler, "status.desiredReplicas") < least
    if behind:
        words.append(_("the HPA has not acted on its minimum yet"))
    return behind, words
