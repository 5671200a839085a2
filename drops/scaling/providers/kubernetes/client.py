"""Conversations with a Kubernetes API server, through the official client, for the kinds that live in a namespace.

Who may: the configuration that KUBECONFIG names, or the pod's own service account; never what stands in a row. Each
conversation begins by asking who the namespace is: a uid that is not the one in the locator is another cluster, and
nothing further is read or written there. Bounded in time, no redirect is followed, nothing is retried: the tick does
that.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from django.utils.translation import gettext as _

from drops.scaling.providers.base import ApplyRefused, Missing, OutcomeUnclear, ProviderError

SECONDS = 15.0  # for one conversation
LONGEST_ANSWER = 8 * 1024 * 1024  # bytes
MOST_LISTED = 200
WHO = "dropsite"  # as `kubectl get … --show-managed-fields` tells who changed what

Document = dict[str, Any]


@dataclass(frozen=True)
class Resource:
    """A sort of thing, as the API names it."""

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


class Cluster:
    """An open conversation, in one namespace. Raises Faulty from each call."""

    def __init__(self, *, namespace: str, client: Any) -> None:
        self.namespace, self._client, self._until = namespace, client, time.monotonic() + SECONDS
        self._core, self._any = _extra().CoreV1Api(client), _extra().CustomObjectsApi(client)

    def get(self, resource: Resource, name: str) -> Document:
        """Read one thing."""
        if resource is NAMESPACE:
            return self._called(self._core.read_namespace, "get", resource, name, name)[0]
        path = (resource.group, resource.version, self.namespace, resource.plural, name)
        return self._called(self._any.get_namespaced_custom_object, "get", resource, name, *path)[0]

    def list(self, resource: Resource, **selectors: str) -> list[Document]:
        """Read things of one sort, by `label_selector` and `field_selector`."""
        selectors = {key: value for key, value in selectors.items() if value}
        path: tuple[str, ...] = (resource.group, resource.version, self.namespace, resource.plural)
        call = self._any.list_namespaced_custom_object
        if resource is POD:
            path, call = (self.namespace,), self._core.list_namespaced_pod
        found, _audit = self._called(call, "list", resource, "", *path, limit=MOST_LISTED, **selectors)
        return [item for item in under(found, "items", list, []) if isinstance(item, dict)]

    def patch(self, resource: Resource, name: str, body: Document) -> str:
        """Change one thing by a merge patch, in which null takes away; the number of the call in the audit log."""
        path = (resource.group, resource.version, self.namespace, resource.plural, name, body)
        call, how = self._any.patch_namespaced_custom_object, "application/merge-patch+json"
        return self._called(call, "patch", resource, name, *path, field_manager=WHO, _content_type=how)[1]

    def _called(
        self, call: Callable[..., Any], verb: str, resource: Resource, name: str, *path: object, **more: object
    ) -> tuple[Document, str]:
        """Make one call; the object that was answered, and its number in the audit log. Raises: Faulty."""
        host, extra = self._client.configuration.host, _extra()
        left = self._until - time.monotonic()
        try:
            if left <= 0:
                raise extra.TimeoutError
            answer = call(*path, _preload_content=False, _request_timeout=left, **more)
            with answer:
                text = answer.read(LONGEST_ANSWER + 1)
        except extra.ApiException as error:
            raise _fault(error, verb=verb, resource=resource, name=name, namespace=self.namespace, host=host) from error
        except extra.HTTPError as error:
            if isinstance(error, extra.TimeoutError) and not isinstance(error, extra.NewConnectionError):
                raise OutcomeUnclear(_("The API server %(host)s gave no answer in time.") % {"host": host}) from error
            raise OutcomeUnclear(
                _("The API server %(host)s can't be reached (%(error)s). Is this the right address, and is it open?")
                % {"host": host, "error": type(error).__name__}
            ) from error
        return _read(text, what=resource.kind), str(answer.headers.get("Audit-Id", ""))[:100]


@contextmanager
def connect(*, locator: Mapping[str, Any]) -> Iterator[Cluster]:
    """Begin a conversation with the cluster and namespace that `locator` means. Raises: Faulty."""
    client = _client(context=str(locator.get("context") or ""))
    try:
        cluster = Cluster(namespace=str(locator["namespace"]), client=client)
        _be_sure(cluster=cluster, uid=str(locator["namespace_uid"]))
        yield cluster
    finally:
        client.close()


def under(document: Any, path: str, sort: type, default: Any = None) -> Any:
    """Give what lies at a path such as "spec.replicas", or else `default`. Raises: Unknown if it is no `sort`."""
    for name in path.split("."):
        if document is None:
            return default
        if not isinstance(document, dict):
            raise OutcomeUnclear(_garbage(path))
        document = document.get(name)
    if document is None:
        return default
    if not isinstance(document, sort) or isinstance(document, bool) is not (sort is bool):
        raise OutcomeUnclear(_garbage(path))
    return document


def count(document: Document, path: str, default: int = 0) -> int:
    """Give a number of pods. Raises: Unknown if it is none."""
    number = under(document, path, int, default)
    if number < 0:
        raise OutcomeUnclear(_garbage(path))
    return int(number)


def shown(words: object, most: int = 140) -> str:
    """Give the cluster's own words as they may be shown: one line, not long."""
    line = " ".join(str(words).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _be_sure(*, cluster: Cluster, uid: str) -> None:
    """Go on only if the namespace is the one that is meant. Raises: Faulty."""
    found = under(cluster.get(NAMESPACE, cluster.namespace), "metadata.uid", str, "")
    if found != uid:
        raise ApplyRefused(
            _(
                "This is another cluster: its namespace “%(namespace)s” has the uid %(found)s. Choose the right "
                "context or KUBECONFIG, or, if the namespace was made anew, put in the new uid."
            )
            % {"namespace": cluster.namespace, "found": shown(found, 40)}
        )


def _client(*, context: str) -> Any:
    """Make a client of what the environment says. Raises: Refused, Missing."""
    extra, configuration = _extra(), _extra().Configuration()
    configured = os.environ.get("KUBECONFIG", "")
    try:
        if configured or context:
            extra.config.load_kube_config(
                config_file=configured or None,
                context=context or None,
                client_configuration=configuration,
                persist_config=False,
            )
        else:
            extra.config.load_incluster_config(client_configuration=configuration)
    except (
        extra.ConfigException,
        extra.YAMLError,
        OSError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:
        raise ApplyRefused(
            _("There is no usable configuration: %(error)s. Set KUBECONFIG, or run in a pod with a service account.")
            % {"error": shown(error).rstrip(".")}
        ) from error
    configuration.retries = False
    return extra.ApiClient(configuration)


def _read(text: bytes, *, what: str) -> Document:
    try:
        read = json.loads(text) if len(text) <= LONGEST_ANSWER else None
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise OutcomeUnclear(_garbage(what))
    return read


def _garbage(what: str) -> str:
    return _("What the API server answered can't be read (%(what)s). Is it a Kubernetes API server?") % {"what": what}


def _fault(error: Any, *, verb: str, resource: Resource, name: str, namespace: str, host: str) -> ProviderError:
    """Say what an error of the API means. The reasons are those of its type Status."""
    try:
        status = json.loads(error.body or "")
    except (ValueError, TypeError, RecursionError):
        status = None
    said = str(status.get("message") or "") if isinstance(status, dict) else ""
    told = {
        "verb": verb,
        "plural": resource.plural,
        "kind": resource.kind,
        "group": resource.group or "core",
        "name": name,
        "namespace": namespace,
        "host": host,
        "status": error.status,
        "said": shown(said or error.reason or "", 120),
    }
    if error.status == 403:
        return _forbidden(said, told)
    if error.status == 404:
        return _not_found(resource, said, told)
    return _other(int(error.status or 0), told)


def _forbidden(said: str, told: Mapping[str, Any]) -> ProviderError:
    if "exceeded quota" in said:
        return ApplyRefused(
            _("A quota of namespace “%(namespace)s” forbids it: %(said)s. Raise the quota, or ask for less.") % told
        )
    if "system:anonymous" in said:
        return ApplyRefused(
            _("No credentials reach %(host)s (403). Look at KUBECONFIG and the command that makes its token.") % told
        )
    user = re.search(r'User "([^"]{1,100})" cannot', said)
    if user or not said:
        return ApplyRefused(
            _(
                "%(user)s may not %(verb)s %(plural)s in namespace “%(namespace)s” (403): grant the verb “%(verb)s” on "
                "“%(plural)s” (API group “%(group)s”) in a Role."
            )
            % (dict(told) | {"user": user[1] if user else _("This user")})
        )
    return ApplyRefused(_("A rule of the cluster forbids it: %(said)s. Ask who runs the cluster.") % told)


def _not_found(resource: Resource, said: str, told: Mapping[str, Any]) -> ProviderError:
    if resource is NAMESPACE:
        return ApplyRefused(
            _("%(host)s has no namespace “%(namespace)s”. Put in the right name, or the right context.") % told
        )
    if not told["name"] or "could not find the requested resource" in said or "not found" not in said:
        return ApplyRefused(_("This cluster knows no %(plural)s of “%(group)s” (404). Is it installed there?") % told)
    return ApplyRefused(
        _("There is no %(kind)s “%(name)s” in namespace “%(namespace)s” (404). Put in the right name.") % told
    )


def _other(status: int, told: Mapping[str, Any]) -> ProviderError:
    if status == 0:
        return ApplyRefused(
            _("TLS with %(host)s fails: %(said)s. Another cluster, or its certificate has been renewed?") % told
        )
    if status == 401:
        return ApplyRefused(
            _("%(host)s doesn't accept the credentials (401): the token has expired or is another cluster's. Renew it.")
            % told
        )
    if status == 409:
        return OutcomeUnclear(
            _("Somebody changed %(kind)s “%(name)s” at the same moment (409). It is asked again.") % told
        )
    if status == 429 or status >= 500:
        return OutcomeUnclear(
            _("The API server %(host)s is not well (%(status)s): %(said)s. It is asked again.") % told
        )
    if 300 <= status < 400:
        return ApplyRefused(
            _("%(host)s answers with a redirect (%(status)s), which is not followed. Put in where it ends.") % told
        )
    return ApplyRefused(_("The API server doesn't accept it (%(status)s): %(said)s.") % told)


def _extra() -> SimpleNamespace:
    """Give what is needed of the official client. Raises: Missing."""
    try:
        import yaml  # noqa: PLC0415 comes with the extra
        from kubernetes import client, config  # noqa: PLC0415 an extra
        from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError  # noqa: A004, PLC0415 likewise
    except ImportError as error:
        raise Missing(
            _('The Kubernetes client is missing. Install the extra "kubernetes": deploy/requirements/kubernetes.txt.')
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
