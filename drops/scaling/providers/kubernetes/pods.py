"""The pods of a Deployment or StatefulSet, and what all providers of namespaced resources share.

Ready are the pods that the workload reports as ready. A workload is moving if its controller has not seen the
last change yet, or if it has pending pods: nodes are missing, or an image.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from drops.scaling.providers.base import (
    Applied,
    ApplyRefused,
    BadLocator,
    Field,
    Provider,
    Reading,
    State,
    one_line,
)
from drops.scaling.providers.kubernetes import client
from drops.scaling.providers.kubernetes.client import (
    DEPLOYMENT,
    POD,
    STATEFUL_SET,
    Cluster,
    Document,
    Resource,
    conditions_with,
    count_at,
    value_at,
)

NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SELECTOR_FORMATS = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}


@dataclass(frozen=True)
class Pods:
    """The pods of one workload."""

    desired: int
    ready: int
    moving: bool
    message: str


class NamespacedProvider(Provider):
    """`locator`: {"context", "namespace", "namespace_uid", "name"}."""

    api_resource: ClassVar[Resource]
    unit: ClassVar[str] = "pods"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("namespace", "namespace"),
        Field(
            "namespace_uid",
            "UID of the namespace",
            "It makes sure that no other cluster is changed. "
            "Find it with: kubectl get namespace NAME -o jsonpath={.metadata.uid}",
        ),
        Field("name", "name", "As kubectl shows it."),
        Field(
            "context",
            "context",
            "Of the file in KUBECONFIG. Leave it empty for the current context, or for the cluster this runs in.",
            required=False,
        ),
    )
    lead_seconds: ClassVar[int] = 300  # for pods, and the nodes that they need

    @classmethod
    def check(cls, locator: Mapping[str, Any]) -> None:
        """Check the names. Raises BadLocator."""
        errors: dict[str, str] = {}
        if not LABEL.fullmatch(str(locator.get("namespace") or "")):
            errors["namespace"] = (
                "Enter a namespace: lower-case letters, digits and hyphens, at most 63 characters."
            )
        if not UID.fullmatch(str(locator.get("namespace_uid") or "")):
            errors["namespace_uid"] = "Enter the UID, such as 0f2c1c4e-5a63-4d9a-9a43-0d6d6a1f9b11."
        if not NAME.fullmatch(str(locator.get("name") or "")):
            errors["name"] = (
                "Enter a name as Kubernetes allows it: lower-case letters, digits, hyphens and dots."
            )
        if not str(locator.get("context") or "").isprintable():
            errors["context"] = "Enter the context as “kubectl config get-contexts” shows it."
        if errors:
            raise BadLocator(errors)

    @classmethod
    def resource(cls, locator: Mapping[str, Any]) -> str:
        """Return the resource with its namespace's UID, which no two clusters share."""
        resource_type = f"{cls.api_resource.plural}.{cls.api_resource.group}"
        return f"kubernetes:{locator['namespace_uid']}:{resource_type}:{locator['name']}"

    def read(self) -> Reading:
        """Read the resource, its workload and its pods."""
        with client.connect(locator=self.locator) as cluster:
            return self.observe(self.fetch(cluster), cluster)

    def apply(self, state: State, *, key: str) -> Applied:
        """Set what the state controls, in one patch. Nothing else of the resource is changed."""
        with client.connect(locator=self.locator) as cluster:
            self.check_effective(self.fetch(cluster), state)
            body = {"spec": self.spec_of(state)}
            return Applied(request_id=cluster.patch(self.api_resource, str(self.locator["name"]), body))

    def fetch(self, cluster: Cluster) -> Document:
        """Return the resource from the API. Raises ApplyRefused if something else controls it."""
        return cluster.get(self.api_resource, str(self.locator["name"]))

    def check_effective(self, document: Document, state: State) -> None:
        """Raise ApplyRefused if applying the state would have no effect."""

    @abstractmethod
    def observe(self, document: Document, cluster: Cluster) -> Reading:
        """Return a reading of the resource."""

    @abstractmethod
    def spec_of(self, state: State) -> Document:
        """Return the part of the spec that the state sets."""


def read_pods(cluster: Cluster, *, kind: str, name: str) -> Pods:
    """Read a workload and its pods. Raises ProviderError."""
    resources = {resource.kind: resource for resource in (DEPLOYMENT, STATEFUL_SET)}
    if kind not in resources:
        raise ApplyRefused(
            f"It scales a {one_line(kind, 60)}, but only Deployments and StatefulSets can be read back."
            " Choose a different target."
        )
    workload = cluster.get(resources[kind], name)
    selector = format_selector(value_at(workload, "spec.selector", dict, {}))
    listed = cluster.list(POD, label_selector=selector, field_selector="status.phase=Pending")
    pending = [pod for pod in listed if not value_at(pod, "metadata.deletionTimestamp", str, "")]
    desired, ready = count_at(workload, "spec.replicas", 1), count_at(workload, "status.readyReplicas")
    is_behind = count_at(workload, "status.observedGeneration") < count_at(workload, "metadata.generation")
    messages = [f"{ready} of {desired} pods are ready"]
    if is_behind:
        messages.append("the controller hasn't seen the last change yet")
    if pending:
        messages.append(f"{len(pending)} pending{pending_reason(pending[0])}")
    messages += workload_problems(workload)
    return Pods(desired=desired, ready=ready, moving=is_behind or bool(pending), message="; ".join(messages))


def format_selector(selector: Document) -> str:
    """Return a label selector as a query has it. Raises ProviderError."""
    parts = [f"{key}={value}" for key, value in sorted(value_at(selector, "matchLabels", dict, {}).items())]
    for rule in value_at(selector, "matchExpressions", list, []):
        selector_format = SELECTOR_FORMATS.get(value_at(rule, "operator", str, ""))
        if not selector_format:
            raise ApplyRefused(
                "The selector of its pods has an operator that Dropsite doesn't support. Use In, NotIn,"
                " Exists or DoesNotExist."
            )
        values = ",".join(str(value) for value in value_at(rule, "values", list, []))
        parts.append(selector_format.format(key=value_at(rule, "key", str, ""), values=values))
    if not parts:
        raise ApplyRefused("It selects no pods: its selector is empty. Give it one.")
    return ",".join(parts)


def pending_reason(pod: Document) -> str:
    """Return ": " and why a pod is pending, from the scheduler or its first waiting container; or nothing."""
    unscheduled = conditions_with(pod, type_="PodScheduled", status="False")
    if unscheduled:
        return f": {unscheduled[0]}"
    for container in value_at(pod, "status.containerStatuses", list, []):
        reason = value_at(container, "state.waiting.reason", str, "")
        if reason:
            return f": {one_line(reason, 60)}"
    return ""


def workload_problems(workload: Document) -> list[str]:
    """Return what keeps a workload from creating pods: a quota, or a rollout that doesn't progress."""
    problems = []
    for message in conditions_with(workload, type_="ReplicaFailure", status="True"):
        if "exceeded quota" in message:
            problems.append(f"a quota allows no more pods: {message}")
        else:
            problems.append(f"no more pods can be created: {message}")
    stalled = conditions_with(workload, type_="Progressing", status="False")
    return problems + [f"its rollout isn't progressing: {message}" for message in stalled]
