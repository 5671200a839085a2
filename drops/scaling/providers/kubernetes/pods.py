"""What the pods of a Deployment or StatefulSet do, and what all kinds in a namespace share.

Ready are those that the workload counts as ready. Moving is one whose controller has not seen the last change yet, or
that has pods Pending: nodes are missing, or an image.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from drops.scaling.providers.base import Applied, ApplyRefused, BadLocator, Field, Provider, Reading, State
from drops.scaling.providers.kubernetes import client
from drops.scaling.providers.kubernetes.client import (
    DEPLOYMENT,
    POD,
    STATEFUL_SET,
    Cluster,
    Document,
    Resource,
    count,
    under,
)

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OPERATORS = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}


@dataclass(frozen=True)
class Pods:
    """The pods of one workload."""

    wanted: int
    ready: int
    moving: bool
    message: str


class InNamespace(Provider):
    """`locator`: {"context", "namespace", "namespace_uid", "name"}."""

    api_resource: ClassVar[Resource]
    unit: ClassVar[str] = gettext_noop("pods")
    fields: ClassVar[tuple[Field, ...]] = (
        Field("namespace", gettext_noop("namespace")),
        Field(
            "namespace_uid",
            gettext_noop("uid of the namespace"),
            gettext_noop(
                "So that no other cluster is ever touched: kubectl get namespace NAME -o jsonpath={.metadata.uid}"
            ),
        ),
        Field("name", gettext_noop("name"), gettext_noop("As kubectl shows it.")),
        Field(
            "context",
            gettext_noop("context"),
            gettext_noop("Of the file in KUBECONFIG; empty for its current one, or for the cluster this runs in."),
            required=False,
        ),
    )
    lead_seconds: ClassVar[int] = 300  # pods and the nodes under them

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Look at the names. Raises: BadWhere."""
        faults: dict[str, str] = {}
        if not LABEL.fullmatch(str(locator.get("namespace") or "")):
            faults["namespace"] = _("Give a namespace: small letters, digits and hyphens, at most 63.")
        if not UID.fullmatch(str(locator.get("namespace_uid") or "")):
            faults["namespace_uid"] = _("Give the uid, such as 0f2c1c4e-5a63-4d9a-9a43-0d6d6a1f9b11.")
        if not NAME.fullmatch(str(locator.get("name") or "")):
            faults["name"] = _("Give a name as Kubernetes allows it: small letters, digits, hyphens and dots.")
        if not str(locator.get("context") or "").isprintable():
            faults["context"] = _("Give the context as kubectl config get-contexts shows it.")
        if faults:
            raise BadLocator(faults)

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Name it by its namespace's uid, which no two clusters share."""
        kind = f"{cls.api_resource.plural}.{cls.api_resource.group}"
        return f"kubernetes:{locator['namespace_uid']}:{kind}:{locator['name']}"

    def read(self) -> Reading:
        """Read the thing, the workload and its pods."""
        with client.connect(locator=self.locator) as cluster:
            return self.look_at(self.find(cluster), cluster)

    def apply(self, state: State, *, key: str) -> Applied:
        """Set what is controlled, in one patch. Nothing else of the thing is touched."""
        with client.connect(locator=self.locator) as cluster:
            self.permit(self.find(cluster), state)
            body = {"spec": self.spec_of(state)}
            return Applied(request_id=cluster.patch(self.api_resource, str(self.locator["name"]), body))

    def find(self, cluster: Cluster) -> Document:
        """Give the thing as the API has it. Raises Refused if it is not ours to set."""
        return cluster.get(self.api_resource, str(self.locator["name"]))

    def permit(self, found: Document, state: State) -> None:
        """Raise Refused if asking for the state would do nothing."""

    @abstractmethod
    def look_at(self, found: Document, cluster: Cluster) -> Reading:
        """Read how it stands."""

    @abstractmethod
    def spec_of(self, state: State) -> Document:
        """Give what is set in the thing's spec."""


def pods_of(cluster: Cluster, *, kind: str, name: str) -> Pods:
    """Read a workload and count its pods. Raises: Faulty."""
    known = {resource.kind: resource for resource in (DEPLOYMENT, STATEFUL_SET)}
    if kind not in known:
        raise ApplyRefused(
            _("It scales a %(kind)s, and only Deployments and StatefulSets can be read back. Take another target.")
            % {"kind": client.shown(kind, 60)}
        )
    found = cluster.get(known[kind], name)
    selector = selector_of(under(found, "spec.selector", dict, {}))
    listed = cluster.list(POD, label_selector=selector, field_selector="status.phase=Pending")
    pending = [pod for pod in listed if not under(pod, "metadata.deletionTimestamp", str, "")]
    wanted, ready = count(found, "spec.replicas", 1), count(found, "status.readyReplicas")
    behind = count(found, "status.observedGeneration") < count(found, "metadata.generation")
    words = [_("%(ready)s of %(wanted)s pods are ready") % {"ready": ready, "wanted": wanted}]
    if behind:
        words.append(_("the last change has not been seen yet"))
    if pending:
        words.append(_("%(count)s Pending%(why)s") % {"count": len(pending), "why": why_pending(pending[0])})
    words += troubles_of(found)
    return Pods(wanted=wanted, ready=ready, moving=behind or bool(pending), message="; ".join(words))


def selector_of(selector: Document) -> str:
    """Write a label selector as a query has it. Raises: Faulty."""
    parts = [f"{key}={value}" for key, value in sorted(under(selector, "matchLabels", dict, {}).items())]
    for rule in under(selector, "matchExpressions", list, []):
        pattern = OPERATORS.get(under(rule, "operator", str, ""))
        if not pattern:
            raise ApplyRefused(_("The selector of its pods has an operator that is not known here."))
        values = ",".join(str(value) for value in under(rule, "values", list, []))
        parts.append(pattern.format(key=under(rule, "key", str, ""), values=values))
    if not parts:
        raise ApplyRefused(_("It selects no pods: its selector is empty."))
    return ",".join(parts)


def why_pending(pod: Document) -> str:
    """Say why a pod waits: what the scheduler says, or its first container; empty if neither says anything."""
    for condition in under(pod, "status.conditions", list, []):
        if under(condition, "type", str, "") == "PodScheduled" and under(condition, "status", str, "") == "False":
            return f": {client.shown(under(condition, 'message', str, ''))}"
    for container in under(pod, "status.containerStatuses", list, []):
        reason = under(container, "state.waiting.reason", str, "")
        if reason:
            return f": {client.shown(reason, 60)}"
    return ""


def troubles_of(workload: Document) -> list[str]:
    """Say what keeps a workload from making pods: a quota, or a roll-out that stands still."""
    troubles = []
    for condition in under(workload, "status.conditions", list, []):
        kind, status = under(condition, "type", str, ""), under(condition, "status", str, "")
        message = client.shown(under(condition, "message", str, ""))
        if kind == "ReplicaFailure" and status == "True":
            quota = "exceeded quota" in message
            say = _("a quota forbids more pods: %(said)s") if quota else _("no more pods can be made: %(said)s")
            troubles.append(say % {"said": message})
        if kind == "Progressing" and status == "False":
            troubles.append(_("its roll-out stands still: %(said)s") % {"said": message})
    return troubles
