"""A stand-in for a Kubernetes cluster: an HTTP API with tokens, permissions and validation, and controllers.

Nothing happens by itself: `advance()` is one round of KEDA, HPA, Deployment controller, scheduler and
kubelet, so that a test sees each stage between applied and ready.
"""

import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.drops.scaling import http_server

UID = "0f2c1c4e-5a63-4d9a-9a43-0d6d6a1f9b11"
TOKEN = "token-of-the-shop"
USER = "system:serviceaccount:shop:dropsite"
SERVED = {
    ("", "v1"): {"namespaces", "pods"},
    ("apps", "v1"): {"deployments", "statefulsets"},
    ("autoscaling", "v2"): {"horizontalpodautoscalers"},
    ("keda.sh", "v1alpha1"): {"scaledobjects"},
}
Json = dict[str, Any]


class KubernetesFailure(Exception):
    """An error response, of the API's type Status."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.body = code, {
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code,
        }  # fmt: skip


@dataclass
class Cluster:
    """One namespace, "shop". `max_running`: pods that fit on the nodes. `quota`: pods that may exist."""

    uid: str = UID
    token: str = TOKEN
    max_running: int = 100
    quota: int = 100
    has_keda: bool = True
    denied: set[tuple[str, str]] = field(default_factory=set)  # (verb, plural)
    # Responses to the next calls, in place of real ones: status, body, headers.
    raw: deque[tuple[int, bytes, dict[str, str]]] = field(default_factory=deque)
    objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    pods: dict[str, str] = field(default_factory=dict)  # name: phase
    calls: list[tuple[str, str]] = field(default_factory=list)
    patches: list[tuple[str, Json]] = field(default_factory=list)
    url: str = ""
    hang: threading.Event | None = None

    def deploy(self, name: str, replicas: int) -> None:
        """Create a Deployment whose pods are ready."""
        self.objects["deployments", name] = {
            "metadata": {"name": name, "generation": 1},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}},
            "status": {"observedGeneration": 1, "readyReplicas": replicas},
        }
        self.pods |= {f"{name}-{number}": "Running" for number in range(replicas)}

    def autoscale(self, name: str, minimum: int | None, maximum: int) -> None:
        """Create an HPA of a Deployment."""
        self.objects["horizontalpodautoscalers", name] = {
            "metadata": {"name": name},
            "spec": {
                "minReplicas": minimum,
                "maxReplicas": maximum,
                "scaleTargetRef": {"kind": "Deployment", "name": name},
            },
            "status": {"desiredReplicas": self.objects["deployments", name]["spec"]["replicas"]},
        }

    def scale_by_keda(self, name: str, **spec: int) -> None:
        """Create a ScaledObject of a Deployment, and the HPA that KEDA creates for it."""
        self.objects["scaledobjects", name] = {
            "metadata": {"name": name, "annotations": {}, "generation": 1},
            "spec": {"scaleTargetRef": {"name": name}, **spec},
            "status": {},
        }
        self.keda()
        self.objects["horizontalpodautoscalers", f"keda-hpa-{name}"]["status"] = {"desiredReplicas": 1}

    def advance(self) -> None:
        """Let every controller act once, the last in the chain first, so that each stage can be observed."""
        self.kubelet()
        self.deployments()
        self.autoscalers()
        self.keda()

    def keda(self) -> None:
        for (plural, name), thing in list(self.objects.items()):
            if plural == "scaledobjects":
                spec = thing["spec"]
                hpa = self.objects.setdefault(
                    ("horizontalpodautoscalers", f"keda-hpa-{name}"), {"status": {}}
                )
                hpa["metadata"] = {
                    "name": f"keda-hpa-{name}",
                    "labels": {"scaledobject.keda.sh/name": name},
                    "ownerReferences": [
                        {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "name": name}
                    ],
                }
                hpa["spec"] = {
                    "minReplicas": spec.get("minReplicaCount") or 1,
                    "maxReplicas": spec.get("maxReplicaCount", 100),
                    "scaleTargetRef": {"kind": "Deployment", "name": spec["scaleTargetRef"]["name"]},
                }
                thing["status"]["hpaName"] = f"keda-hpa-{name}"

    def autoscalers(self) -> None:
        for (plural, _name), thing in self.objects.items():
            if plural == "horizontalpodautoscalers":
                deployment = self.objects["deployments", thing["spec"]["scaleTargetRef"]["name"]]
                wanted = deployment["spec"]["replicas"]
                low, high = thing["spec"].get("minReplicas") or 1, thing["spec"]["maxReplicas"]
                if wanted:  # at 0 an HPA is off
                    self.set_spec(deployment, {"replicas": min(high, max(low, 1))})
                    thing["status"]["desiredReplicas"] = deployment["spec"]["replicas"]

    def deployments(self) -> None:
        for (plural, name), thing in self.objects.items():
            if plural == "deployments":
                thing["status"]["observedGeneration"] = thing["metadata"]["generation"]
                wanted = thing["spec"]["replicas"]
                mine = [pod for pod in self.pods if pod.startswith(f"{name}-")]
                for pod in mine[wanted:]:
                    del self.pods[pod]
                for number in range(len(mine), wanted):
                    if len(self.pods) < self.quota:
                        self.pods[f"{name}-{number}"] = "Pending"
                short = wanted > sum(pod.startswith(f"{name}-") for pod in self.pods)
                message = 'pods "web-9" is forbidden: exceeded quota: drops, requested: pods=1, used: pods=5'
                failure = {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreate",
                    "message": message,
                }
                thing["status"]["conditions"] = [failure] if short else []
                self.count(name)

    def kubelet(self) -> None:
        running = sum(phase == "Running" for phase in self.pods.values())
        for pod, phase in self.pods.items():
            if phase == "Pending" and running < self.max_running:
                self.pods[pod], running = "Running", running + 1
        for plural, name in self.objects:
            if plural == "deployments":
                self.count(name)

    def count(self, name: str) -> None:
        phases = [phase for pod, phase in self.pods.items() if pod.startswith(f"{name}-")]
        self.objects["deployments", name]["status"]["readyReplicas"] = phases.count("Running")

    @staticmethod
    def set_spec(thing: Json, spec: Json) -> None:
        """Merge into the spec; null removes a field. A change is a new generation, if the kind has any."""
        before = dict(thing["spec"])
        for key, value in spec.items():
            if value is None:
                thing["spec"].pop(key, None)
            else:
                thing["spec"][key] = value
        if "generation" in thing["metadata"] and thing["spec"] != before:
            thing["metadata"]["generation"] += 1

    def respond_to(
        self, verb: str, path: str, query: dict[str, list[str]], body: Any, content_type: str
    ) -> Json:
        """Return the result of one call, as the API server does. Raises KubernetesFailure."""
        parts = path.strip("/").split("/")
        group, version = ("", parts[1]) if parts[0] == "api" else (parts[1], parts[2])
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        plural = rest[2] if len(rest) > 2 else rest[0]
        if plural not in SERVED.get((group, version), ()) or (group == "keda.sh" and not self.has_keda):
            raise KubernetesFailure(404, "NotFound", "the server could not find the requested resource")
        verb = "list" if verb == "get" and len(rest) == 3 else verb
        if (verb, plural) in self.denied:
            full = f"{plural}.{group}" if group else plural
            raise KubernetesFailure(
                403,
                "Forbidden",
                f'{full} is forbidden: User "{USER}" cannot {verb} resource "{plural}" in API group "{group}" in the '
                'namespace "shop"',
            )
        if rest[1] != "shop":
            raise KubernetesFailure(404, "NotFound", f'namespaces "{rest[1]}" not found')
        if plural == "namespaces":
            return {"metadata": {"name": "shop", "uid": self.uid}}
        if verb == "list":
            return {"items": self.listed(plural, query)}
        return self.one(verb, plural, rest[3], body, content_type)

    def listed(self, plural: str, query: dict[str, list[str]]) -> list[Json]:
        if plural != "pods":
            return [thing for (kind, _name), thing in self.objects.items() if kind == plural]
        app = query["labelSelector"][0].removeprefix("app=")
        assert query["fieldSelector"] == ["status.phase=Pending"]
        full = {
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient cpu.",
        }  # fmt: skip
        return [
            {"metadata": {"name": pod}, "status": {"phase": phase, "conditions": [full]}}
            for pod, phase in self.pods.items()
            if phase == "Pending" and pod.startswith(f"{app}-")
        ]

    def one(self, verb: str, plural: str, name: str, body: Any, content_type: str) -> Json:
        thing = self.objects.get((plural, name))
        group = next(group for (group, _version), plurals in SERVED.items() if plural in plurals)
        if thing is None:
            raise KubernetesFailure(404, "NotFound", f'{plural}.{group} "{name}" not found')
        if verb == "patch":
            if content_type != "application/merge-patch+json":
                raise KubernetesFailure(
                    415,
                    "UnsupportedMediaType",
                    f"the body of the request was in an unknown format: {content_type}",
                )
            self.patches.append((f"{plural}/{name}", body))
            merged = thing["spec"] | body["spec"]
            low, high = merged.get("minReplicas") or 1, merged.get("maxReplicas") or default_maximum(merged)
            if plural == "horizontalpodautoscalers" and low > high:
                raise KubernetesFailure(
                    422,
                    "Invalid",
                    f'{plural}.{group} "{name}" is invalid: spec.maxReplicas: must be ≥ minReplicas',
                )
            self.set_spec(thing, body["spec"])
        return thing


def default_maximum(spec: Json) -> int:
    """Return a maximum for a spec that has none."""
    return max(100, spec.get("minReplicas") or 0)


@contextmanager
def serve(cluster: Cluster) -> Iterator[str]:
    """Serve the cluster's API on this machine; yield its address."""

    class Handler(http_server.QuietHandler):
        def handle_call(self) -> None:
            body, parts, verb = self.read_body(), urlsplit(self.path), self.command.lower()
            cluster.calls.append((verb, parts.path))
            if cluster.hang:
                cluster.hang.wait(30)
                self.close_connection = True
                return
            if cluster.raw:
                self.reply(*cluster.raw.popleft())
                return
            try:
                if self.headers.get("Authorization") != f"Bearer {cluster.token}":
                    raise KubernetesFailure(401, "Unauthorized", "Unauthorized")
                content_type = self.headers.get("Content-Type", "")
                document = json.loads(body or b"null")
                result = cluster.respond_to(verb, parts.path, parse_qs(parts.query), document, content_type)
                self.reply(200, json.dumps(result).encode(), {})
            except KubernetesFailure as error:
                self.reply(error.code, json.dumps(error.body).encode(), {})

        do_GET = do_PATCH = handle_call  # noqa: N815 as http.server names them

        def reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.respond(status, {"Content-Type": "application/json", "Audit-Id": "audit-1", **headers}, body)

    with http_server.serve(Handler) as cluster.url:
        try:
            yield cluster.url
        finally:
            if cluster.hang:
                cluster.hang.set()


def configuration(*, server: str, token: str = TOKEN, ca: str = "") -> str:
    """Return the text of a file for KUBECONFIG."""
    authority = f", certificate-authority: {ca}" if ca else ""
    return f"""
apiVersion: v1
kind: Config
current-context: shop
contexts:
- {{name: shop, context: {{cluster: here, user: shop}}}}
- {{name: elsewhere, context: {{cluster: elsewhere, user: shop}}}}
clusters:
- {{name: here, cluster: {{server: "{server}"{authority}}}}}
- {{name: elsewhere, cluster: {{server: "http://127.0.0.1:1"}}}}
users:
- {{name: shop, user: {{token: {token}}}}}
"""
