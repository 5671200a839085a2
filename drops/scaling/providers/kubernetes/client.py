"""Sessions with a Kubernetes API server, through the official client, in one namespace.

Credentials come from the configuration that KUBECONFIG names, or from the pod's own service account, never
from a row. Each session first reads the namespace: if its UID is not the locator's, this is a different
cluster, and nothing else is read or written there. A session is limited in time, follows no redirect and
retries nothing: the next tick does.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from drops.scaling.providers.base import (
    ApplyRefused,
    ExtraNotInstalled,
    OutcomeUnclear,
    ProviderError,
    one_line,
)

SESSION_SECONDS = 15.0
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
MAX_LISTED = 200
MAX_SHOWN_CHARACTERS = 120  # of the API server's own message
FIELD_MANAGER = "dropsite"  # named by `kubectl get … --show-managed-fields` as the author of a change

Document = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """A type of resource, as the API names it."""

    kind: str
    plural: str
    group: str
    version: str


NAMESPACE = Resource("Namespace", "namespaces", "", "v1")
POD = Resource("Pod", "pods", "", "v1")
DEPLOYMENT = Resource("Deployment", "deployments", "apps", "v1")
STATEFUL_SET = Resource("StatefulSet", "statefulsets", "apps", "v1")
AUTOSCALER = Resource("HorizontalPodAutoscaler", "horizontalpodautoscalers", "autoscaling", "v2")
SCALED_OBJECT = Resource("ScaledObject", "scaledobjects", "keda.sh", "v1alpha1")


@dataclass(frozen=True)
class ApiCall:
    """What is called, for the messages of errors. `name` is empty for a list."""

    verb: str
    resource: Resource
    name: str
    namespace: str
    host: str


class Cluster:
    """An open session in one namespace. Every call raises ProviderError when it fails."""

    def __init__(self, *, namespace: str, client: Any) -> None:
        kubernetes = _kubernetes()
        self.namespace = namespace
        self._client = client
        self._deadline = time.monotonic() + SESSION_SECONDS
        self._core_api, self._custom_api = kubernetes.CoreV1Api(client), kubernetes.CustomObjectsApi(client)

    def get(self, resource: Resource, name: str) -> Document:
        """Return one resource."""
        path: tuple[str, ...] = (resource.group, resource.version, self.namespace, resource.plural, name)
        method = self._custom_api.get_namespaced_custom_object
        if resource is NAMESPACE:
            path, method = (name,), self._core_api.read_namespace
        document, _audit_id = self._call(method, "get", resource, name, *path)
        return document

    def list(self, resource: Resource, **selectors: str) -> list[Document]:
        """Return resources of one type, by `label_selector` and `field_selector`."""
        selectors = {key: value for key, value in selectors.items() if value}
        path: tuple[str, ...] = (resource.group, resource.version, self.namespace, resource.plural)
        method = self._custom_api.list_namespaced_custom_object
        if resource is POD:
            path, method = (self.namespace,), self._core_api.list_namespaced_pod
        document, _audit_id = self._call(method, "list", resource, "", *path, limit=MAX_LISTED, **selectors)
        return [item for item in value_at(document, "items", list, []) if isinstance(item, dict)]

    def patch(self, resource: Resource, name: str, body: Document) -> str:
        """Change one resource by a merge patch, in which null removes a field; return the call's audit id."""
        path = (resource.group, resource.version, self.namespace, resource.plural, name, body)
        method, content_type = self._custom_api.patch_namespaced_custom_object, "application/merge-patch+json"
        _document, audit_id = self._call(
            method, "patch", resource, name, *path, field_manager=FIELD_MANAGER, _content_type=content_type
        )
        return audit_id

    def _call(
        self,
        method: Callable[..., Any],
        verb: str,
        resource: Resource,
        name: str,
        *path: object,
        **options: object,
    ) -> tuple[Document, str]:
        """Make one call; return the response's object and its audit id. Raises ProviderError."""
        kubernetes, host = _kubernetes(), self._client.configuration.host
        remaining = self._deadline - time.monotonic()
        try:
            if remaining <= 0:
                raise kubernetes.TimeoutError
            response = method(*path, _preload_content=False, _request_timeout=remaining, **options)
            with response:
                body = response.read(MAX_RESPONSE_BYTES + 1)
        except kubernetes.ApiException as error:
            call = ApiCall(verb=verb, resource=resource, name=name, namespace=self.namespace, host=host)
            raise _error_for(error, call) from error
        except kubernetes.HTTPError as error:
            # urllib3 derives NewConnectionError from its TimeoutError, but it means that nobody listens.
            if isinstance(error, kubernetes.TimeoutError) and not isinstance(
                error, kubernetes.NewConnectionError
            ):
                raise OutcomeUnclear(
                    f"The API server {host} didn't respond in time. It will be tried again."
                ) from error
            raise OutcomeUnclear(
                f"The API server {host} can't be reached ({type(error).__name__}). Check its address, and"
                " whether a firewall blocks it."
            ) from error
        return _parse(body, what=resource.kind), str(response.headers.get("Audit-Id", ""))[:100]


@contextmanager
def connect(*, locator: Mapping[str, Any]) -> Iterator[Cluster]:
    """Open a session with the locator's cluster and namespace. Raises ProviderError."""
    client = _client(context=str(locator.get("context") or ""))
    try:
        cluster = Cluster(namespace=str(locator["namespace"]), client=client)
        _verify_namespace(cluster=cluster, uid=str(locator["namespace_uid"]))
        yield cluster
    finally:
        client.close()


def value_at(document: Any, path: str, expected: type, default: Any = None) -> Any:
    """Return the value at a path such as "spec.replicas", or `default` if there is none.

    Raises OutcomeUnclear if it isn't of the expected type.
    """
    for name in path.split("."):
        if document is None:
            return default
        if not isinstance(document, dict):
            raise OutcomeUnclear(_unreadable_message(path))
        document = document.get(name)
    if document is None:
        return default
    # True is an int as well, but not a number of pods.
    if not isinstance(document, expected) or isinstance(document, bool) is not (expected is bool):
        raise OutcomeUnclear(_unreadable_message(path))
    return document


def count_at(document: Document, path: str, default: int = 0) -> int:
    """Return the number at a path. Raises OutcomeUnclear if it isn't 0 or more."""
    number = value_at(document, path, int, default)
    if number < 0:
        raise OutcomeUnclear(_unreadable_message(path))
    return int(number)


def conditions_with(document: Document, *, type_: str, status: str) -> list[str]:
    """Return the messages of a resource's conditions that have this type and status."""
    return [
        one_line(value_at(condition, "message", str, ""), 140)
        for condition in value_at(document, "status.conditions", list, [])
        if value_at(condition, "type", str, "") == type_ and value_at(condition, "status", str, "") == status
    ]


def _verify_namespace(*, cluster: Cluster, uid: str) -> None:
    """Raise ProviderError unless the namespace has this UID."""
    found = value_at(cluster.get(NAMESPACE, cluster.namespace), "metadata.uid", str, "")
    if found != uid:
        raise ApplyRefused(
            f"This is a different cluster: its namespace “{cluster.namespace}” has the UID"
            f" {one_line(found, 40)}. Choose the right context or KUBECONFIG; if the namespace was created"
            " again, enter its new UID."
        )


def _client(*, context: str) -> Any:
    """Return a client for the environment's configuration. Raises ApplyRefused, ExtraNotInstalled."""
    kubernetes = _kubernetes()
    configuration = kubernetes.Configuration()
    # At a file that is valid YAML but no configuration, the client raises whatever its parser runs into.
    unreadable = (OSError, LookupError, TypeError, ValueError, AttributeError)
    try:
        _load_configuration(configuration, context=context)
    except (kubernetes.ConfigException, kubernetes.YAMLError, *unreadable) as error:
        raise ApplyRefused(
            f"There is no usable configuration: {one_line(error, 140).rstrip('.')}. Set KUBECONFIG, or run"
            " in a pod with a service account."
        ) from error
    configuration.retries = False
    return kubernetes.ApiClient(configuration)


def _load_configuration(configuration: Any, *, context: str) -> None:
    """Load KUBECONFIG, or else the pod's service account."""
    config = _kubernetes().config
    config_file = os.environ.get("KUBECONFIG", "")
    if not config_file and not context:
        config.load_incluster_config(client_configuration=configuration)
        return
    config.load_kube_config(
        config_file=config_file or None,
        context=context or None,
        client_configuration=configuration,
        persist_config=False,
    )


def _parse(body: bytes, *, what: str) -> Document:
    """Return a response's object. Raises OutcomeUnclear if it isn't one, or is too long."""
    document = None
    if len(body) <= MAX_RESPONSE_BYTES:
        with suppress(ValueError, RecursionError):
            document = json.loads(body)
    if not isinstance(document, dict):
        raise OutcomeUnclear(_unreadable_message(what))
    return document


def _unreadable_message(what: str) -> str:
    return f"The API server's response can't be read ({what}). Check that the address is a Kubernetes API server's."


def _error_for(error: Any, call: ApiCall) -> ProviderError:
    """Return the exception for an error response of the API, whose body is of type Status."""
    try:
        body = json.loads(error.body or "")
    except (ValueError, TypeError, RecursionError):
        body = None
    message = str(body.get("message") or "") if isinstance(body, dict) else ""
    if error.status == 403:
        return _forbidden(message, call)
    if error.status == 404:
        return _not_found(message, call)
    return _other_error(int(error.status or 0), message or str(error.reason or ""), call)


def _forbidden(message: str, call: ApiCall) -> ApplyRefused:
    if "exceeded quota" in message:
        return ApplyRefused(
            f"A quota of namespace “{call.namespace}” doesn't allow this:"
            f" {one_line(message, MAX_SHOWN_CHARACTERS)}. Raise the quota, or lower the target's ceiling."
        )
    if "system:anonymous" in message:
        return ApplyRefused(
            f"No credentials reach {call.host} (403). Check KUBECONFIG and the command that creates its token."
        )
    user = re.search(r'User "([^"]{1,100})" cannot', message)
    if user or not message:
        plural, group = call.resource.plural, call.resource.group or "core"
        return ApplyRefused(
            f"{user[1] if user else 'This user'} may not {call.verb} {plural} in namespace"
            f" “{call.namespace}” (403). Grant the verb “{call.verb}” on “{plural}” (API group “{group}”)"
            " in a Role."
        )
    return ApplyRefused(
        f"A policy of the cluster forbids this: {one_line(message, MAX_SHOWN_CHARACTERS)}. Ask the cluster's"
        " administrators."
    )


def _not_found(message: str, call: ApiCall) -> ApplyRefused:
    resource = call.resource
    if resource is NAMESPACE:
        return ApplyRefused(
            f"{call.host} has no namespace “{call.namespace}”. Check the name and the context."
        )
    is_type_unknown = "could not find the requested resource" in message or "not found" not in message
    if not call.name or is_type_unknown:
        return ApplyRefused(
            f"This cluster has no {resource.plural} of “{resource.group}” (404). Check that it is installed there."
        )
    return ApplyRefused(
        f"There is no {resource.kind} “{call.name}” in namespace “{call.namespace}” (404). Check the name."
    )


def _other_error(status: int, message: str, call: ApiCall) -> ProviderError:
    host, shown = call.host, one_line(message, MAX_SHOWN_CHARACTERS)
    # The client reports a failed TLS handshake as status 0.
    if status == 0:
        return ApplyRefused(
            f"TLS with {host} fails: {shown}. Check that this is the right cluster, and that the"
            " certificate authority in KUBECONFIG is current."
        )
    if status == 401:
        return ApplyRefused(
            f"{host} doesn't accept the credentials (401): the token has expired, or belongs to a different"
            " cluster. Renew it."
        )
    if status == 409:
        return OutcomeUnclear(
            f"Somebody else changed {call.resource.kind} “{call.name}” at the same moment (409). It will be"
            " tried again."
        )
    if status == 429 or status >= 500:
        return OutcomeUnclear(f"The API server {host} failed ({status}): {shown}. It will be tried again.")
    if 300 <= status < 400:
        return ApplyRefused(
            f"{host} responds with a redirect ({status}), which isn't followed. Use the address it leads to."
        )
    return ApplyRefused(
        f"The API server rejects this ({status}): {shown}. Check the target and its resource."
    )


def _kubernetes() -> SimpleNamespace:
    """Return the parts of the official client that are used here. Raises ExtraNotInstalled."""
    try:
        import yaml  # noqa: PLC0415 comes with the extra
        from kubernetes import client, config  # noqa: PLC0415 an extra
        from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError  # noqa: A004, PLC0415 likewise
    except ImportError as error:
        raise ExtraNotInstalled(
            'The Kubernetes client is not installed. Install the extra "kubernetes":'
            " deploy/requirements/kubernetes.txt."
        ) from error
    return SimpleNamespace(
        ApiClient=client.ApiClient,
        ApiException=client.ApiException,
        ConfigException=config.ConfigException,
        Configuration=client.Configuration,
        CoreV1Api=client.CoreV1Api,
        CustomObjectsApi=client.CustomObjectsApi,
        HTTPError=HTTPError,
        NewConnectionError=NewConnectionError,
        TimeoutError=TimeoutError,
        YAMLError=yaml.YAMLError,
        config=config,
    )
